import { useState } from 'preact/hooks'
import { call, get } from '../api.ts'
import { count } from '../format.ts'
import { useLoad } from '../hooks.ts'
import type { About, Group, Shared } from '../types.ts'
import { Act, Await, Heading } from '../ui.tsx'

const path = 'v2/groups'

const Members = ({
  group,
  about,
  onChange,
}: {
  group: Group
  about: About
  onChange: () => void
}) => {
  const [email, setEmail] = useState('')
  const me = about.user.toLowerCase()
  const owner = group.members.some((one) => one.user_email === me && one.role === 'owner')
  const at = (member: string) => `${path}/${group.id}/members/${encodeURIComponent(member)}`
  const done = async (work: Promise<unknown>) => {
    await work
    onChange()
  }
  const add = async () => {
    await done(call('POST', `${path}/${group.id}/members`, { user_email: email, role: 'member' }))
    setEmail('')
  }
  return (
    <>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">Member</th>
            <th scope="col">Role</th>
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          {group.members.map(({ user_email, role }) => {
            const next = role === 'owner' ? 'member' : 'owner'
            return (
              <tr key={user_email}>
                <th scope="row">{user_email}</th>
                <td>{role}</td>
                <td class="actions">
                  {owner && (
                    <Act
                      label={`Make ${next}`}
                      onAct={() => done(call('PUT', `${at(user_email)}/role`, { role: next }))}
                    />
                  )}
                  {(owner || user_email === me) && (
                    <Act
                      label={user_email === me ? 'Leave' : 'Remove'}
                      sure="They see no more of what is shared."
                      onAct={() => done(call('DELETE', at(user_email)))}
                    />
                  )}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {owner && (
        <div class="row">
          <input
            type="email"
            aria-label="E-mail of a new member"
            placeholder="name@example.org"
            value={email}
            onInput={(event) => setEmail(event.currentTarget.value)}
          />
          <Act label="Add member" onAct={add} disabled={!email} />
        </div>
      )}
    </>
  )
}

const Artifacts = ({ group, about }: { group: Group; about: About }) => {
  const shared = useLoad(
    (signal) => get<readonly Shared[]>(`${path}/${group.id}/artifacts`, signal),
    [group.id],
  )
  const stop = (one: Shared) => async () => {
    const id = encodeURIComponent(one.artifact_id)
    await call('DELETE', `${path}/${group.id}/artifacts/${one.artifact_type}/${id}`)
    shared.again()
  }
  const links: Record<string, string> = { inference_run: 'runs', model: 'models' }
  return (
    <Await of={shared}>
      {(list) =>
        list.length ? (
          <ul class="plain">
            {list.map((one) => (
              <li key={one.artifact_id} class="row">
                <span>{one.artifact_type.replace('_', ' ')}</span>
                {links[one.artifact_type] ? (
                  <a href={`#/${links[one.artifact_type]}/${encodeURIComponent(one.artifact_id)}`}>
                    {one.artifact_id}
                  </a>
                ) : (
                  <code>{one.artifact_id}</code>
                )}
                <span class="faint">by {one.granted_by}</span>
                {one.granted_by === about.user && (
                  <Act label="Stop sharing" sure="Members see it no more." onAct={stop(one)} />
                )}
              </li>
            ))}
          </ul>
        ) : (
          <p class="faint">Nothing shared yet: a run's page has Share.</p>
        )
      }
    </Await>
  )
}

/** Groups of who is signed in: members, and what is shared with them. */
export const Groups = ({ about, id }: { about: About; id: string | undefined }) => {
  const groups = useLoad((signal) => get<readonly Group[]>(path, signal), [])
  const [name, setName] = useState('')
  const make = async () => {
    await call('POST', path, { name })
    setName('')
    groups.again()
  }
  const remove = (group: Group) => async () => {
    await call('DELETE', `${path}/${group.id}`)
    groups.again()
  }
  return (
    <>
      <Heading text="Groups" />
      <div class="row">
        <input
          aria-label="Name of a new group"
          placeholder="Name of a new group"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <Act label="Make group" onAct={make} disabled={!name.trim()} />
      </div>
      <Await of={groups}>
        {(list) =>
          list.length === 0 ? (
            <p class="empty">
              No group yet. Members of one see the runs and models that are shared with it.
            </p>
          ) : (
            list.map((group) => (
              <details key={group.id} class="panel" open={group.id === id || list.length === 1}>
                <summary>
                  <h2>{group.name}</h2>{' '}
                  <span class="faint">{count(group.members.length, 'member')}</span>
                </summary>
                {group.description && <p>{group.description}</p>}
                <Members group={group} about={about} onChange={groups.again} />
                <h3>Shared</h3>
                <Artifacts group={group} about={about} />
                {group.created_by === about.user && (
                  <Act
                    label="Delete group"
                    sure="What it shares stays with its owners."
                    onAct={remove(group)}
                  />
                )}
              </details>
            ))
          )
        }
      </Await>
    </>
  )
}

/** Shares a run or a model with a group. */
export const Share = ({ type, id }: { type: 'inference_run' | 'model'; id: string }) => {
  const groups = useLoad((signal) => get<readonly Group[]>(path, signal), [])
  const [to, setTo] = useState('')
  const [done, setDone] = useState('')
  if (!groups.value?.length) return <p class="faint">Make a group first, under Groups.</p>
  const share = async () => {
    await call('POST', `${path}/${to}/artifacts`, { artifact_type: type, artifact_id: id })
    setDone(groups.value!.find((group) => group.id === to)?.name ?? '')
  }
  return (
    <div class="row">
      <select aria-label="Group" value={to} onChange={(event) => setTo(event.currentTarget.value)}>
        <option value="">Choose a group</option>
        {groups.value.map((group) => (
          <option key={group.id} value={group.id}>
            {group.name}
          </option>
        ))}
      </select>
      <Act label="Share" onAct={share} disabled={!to} />
      {done && <span role="status">Shared with {done}.</span>}
    </div>
  )
}
