-- What waits for a person: messages that may have arrived, rows that failed too often, and what a person said is never to leave.
with held as (
    select
        s.ref, s.key, case s.state when 'held' then 'held' else 'discarded' end as state, s.acknowledged_at as since, 1 as attempts,
        coalesce(c.reason_code, '') as code, coalesce(c.reason, '') as reason, s.run_id, c.message_id
    from activation.sync_snapshot as s
    left join activation.sync_changelog as c on c.run_id = s.run_id and c.ref = s.ref and c.key = s.key
    where
        s.state = 'held'
        or (s.state = 'dropped' and exists (
            from activation.sync_decisions as d where d.ref = s.ref and d.key = s.key and d.decision = 'discard' and d.run_id = s.run_id
        ))
),

failed as (
    select ref, key, state, first_failed_at as since, attempts, coalesce(code, '') as code, coalesce(reason, '') as reason, run_id, message_id
    from activation.sync_failures
    where state <> 'failing'
)

select * from (select * from held union all select * from failed)
where ($ref is null or ref = $ref) and state in (select unnest($states))
order by since, ref, key;
