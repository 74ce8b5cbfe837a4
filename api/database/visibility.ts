import { type RawBuilder, sql } from 'kysely'

/** Rows that `user` may read: own, the system's, and those shared through a group. @see docs/wire.md */
export const visible = (
  user: string,
  system: string,
  type: 'model' | 'inference_run' | 'tune',
  table: string,
): RawBuilder<boolean> => sql<boolean>`(
  ${sql.ref(`${table}.created_by`)} in (${user}, ${system})
  or exists (
    select 1 from artifact_permissions p join group_members m on m.group_id = p.group_id
    where p.artifact_type = ${type} and p.artifact_id = ${sql.ref(`${table}.id`)}::text
      and m.user_email = lower(${user})
  ))`
