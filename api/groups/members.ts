import type { Db } from '../database/database.ts'
import { fail } from '../http/routing.ts'

const NOT_FOUND = 'Group not found'
const NOT_MEMBER = 'You must be a member of this group to perform this action'
const NOT_OWNER = 'Only group owners can perform this action'
export const refusals = { 403: `${NOT_MEMBER}, or ${NOT_OWNER}`, 404: NOT_FOUND }

export const lower = (text: string) => text.toLowerCase()

/** Who is what in a group. */
export const membersOf = (db: Db) => {
  const roleOf = async (id: string, user: string, trx: Db = db): Promise<string | undefined> => {
    const row = await trx
      .selectFrom('group_members')
      .select('role')
      .where('group_id', '=', id)
      .where('user_email', '=', lower(user))
      .executeTakeFirst()
    return row?.role
  }
  /** @throws HttpError 404 or 403 */
  const mustBe = async (
    id: string,
    user: string,
    wanted: 'member' | 'owner',
    trx: Db = db,
  ): Promise<void> => {
    if (
      !(await trx
        .selectFrom('groups')
        .select('id')
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirst())
    )
      return fail(404, NOT_FOUND)
    const held = await roleOf(id, user, trx)
    if (!held) return fail(403, NOT_MEMBER)
    if (wanted === 'owner' && held !== 'owner') fail(403, NOT_OWNER)
  }
  return { roleOf, mustBe }
}
