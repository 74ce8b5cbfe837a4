import { useState } from 'preact/hooks'
import { call, get } from '../api.ts'
import { timeText } from '../format.ts'
import { useLoad } from '../hooks.ts'
import type { ApiKey, Page } from '../types.ts'
import { Act, Await, Heading } from '../ui.tsx'

const path = 'v2/auth/api-keys'

/** API keys of who is signed in; a new one is shown once. */
export const Keys = () => {
  const keys = useLoad((signal) => get<Page<ApiKey>>(path, signal), [])
  const [made, setMade] = useState('')
  const make = async () => {
    setMade((await call<ApiKey>('POST', path, {})).value)
    keys.again()
  }
  const change = (method: string, id: string, body?: object) => async () => {
    await call(method, `${path}?apikey_id=${id}`, body)
    keys.again()
  }
  return (
    <>
      <Heading text="API keys">
        <Act label="New key" kind="primary" onAct={make} />
      </Heading>
      {made && (
        <p class="note good" role="status">
          Your key, shown this once: <code class="secret">{made}</code>{' '}
          {/* A browser has a clipboard for pages of https and of this machine alone. */}
          {navigator.clipboard && (
            <Act label="Copy" onAct={() => navigator.clipboard.writeText(made)} />
          )}
        </p>
      )}
      <p class="faint">
        For scripts and SDKs: send it as <code>X-API-Key</code>. Two keys at most.
      </p>
      <Await of={keys}>
        {({ results }) => (
          <table class="list">
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col">State</th>
                <th scope="col">Ends</th>
                <th scope="col">Change</th>
              </tr>
            </thead>
            <tbody>
              {results.map(({ id, value, active, expires_on }) => (
                <tr key={id}>
                  <th scope="row">
                    <code>{value}</code>
                  </th>
                  <td>{active ? 'On' : 'Off'}</td>
                  <td>{timeText(expires_on)}</td>
                  <td class="actions">
                    <Act
                      label={active ? 'Switch off' : 'Switch on'}
                      onAct={change('PATCH', id, { active: !active })}
                    />
                    <Act
                      label="Delete"
                      sure="Programs with this key stop working."
                      onAct={change('DELETE', id)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Await>
    </>
  )
}
