import { type Kysely, sql } from 'kysely'

/**
 * A claim passes paused tasks inside the index of the queue: of 10,000 tasks with 9,900 paused it
 * read 9,900 rows. Groups are found by their member, shares by what is shared, e-mails in lower case.
 */
const statements = [
  `drop index inf_task_queue`,
  `create index inf_task_queue on inf_task (priority, id, (coalesce(not_before, '-infinity')))
     where status in ('READY', 'RUNNING')`,
  `delete from group_members m where user_email <> lower(user_email) and exists (
     select 1 from group_members o
     where o.group_id = m.group_id and o.user_email = lower(m.user_email))`,
  `update group_members set user_email = lower(user_email) where user_email <> lower(user_email)`,
  `create index group_members_user on group_members (user_email, added_at, group_id)`,
  `create index artifact_permissions_artifact on artifact_permissions (artifact_type, artifact_id)`,
]

export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`drop index artifact_permissions_artifact`.execute(db)
  await sql`drop index group_members_user`.execute(db)
  await sql`drop index inf_task_queue`.execute(db)
  await sql`create index inf_task_queue on inf_task (priority, id)
    where status in ('READY', 'RUNNING')`.execute(db)
}
