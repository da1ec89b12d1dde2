-- Every row of the plan with its one outcome: invalid as planned, withheld by the gate, what the ledger recorded, else skipped.
-- A view, read several times: as a table it would be as large as the audience.
create or replace temporary view outcomes as
with answered as (
    -- A row's own answer goes before its lot's. A lot stands for the rows from its first to its last that were to leave.
    select
        p.*, v.code as gate_code, v.reason as gate_reason, l.provider_id as answered_provider_id,
        p.invalid_code is null and v.code is null and (l.row_number is not null or lot.batch is not null) as left_here,
        case when l.row_number is not null then l.outcome else lot.outcome end as said,
        case when l.row_number is not null then l.code else lot.code end as said_code,
        case when l.row_number is not null then l.reason else lot.reason end as said_reason
    from read_parquet(getvariable('plan')) as p
    left join read_parquet(getvariable('verdicts')) as v using (row_number)
    left join ledger_outcomes as l using (row_number)
    -- The bucket makes it an equality, which needs no sorting.
    left join ledger_lots as lot on lot.bucket = p.row_number // 1024 and p.row_number between lot.first_row and lot.last_row
)

select
    row_number, operation, key, profile_id, match_value, message_id, coalesce(acknowledges, payload) as payload, hash, hash_version,
    case
        when invalid_code is not null then 'invalid'
        when gate_code is not null then 'withheld'
        else coalesce(said, 'skipped')
    end as outcome,
    coalesce(invalid_code, gate_code, case when said = 'sent' then coalesce(nullif(said_code, ''), cause) end, said_code, getvariable('stop_code')) as reason_code,
    coalesce(
        case invalid_code
            when 'NULL_KEY' then 'The row has no key.'
            when 'DUPLICATE_KEY' then 'The key stands on more than one row.'
            when 'MISSING_FIELD' then 'A record would be made without a field that it must have.'
            when 'NULL_MATCH' then 'The row has no value for what identifies it at the destination.'
        end,
        gate_reason,
        case when said = 'sent' and cause = 'ERASED' then 'The person is to be forgotten.' end,
        case when said = 'sent' and cause = 'MERGED' then 'The profile was found to be another person''s, whose own record stays.' end,
        said_reason, getvariable('stop_reason')
    ) as reason,
    coalesce(answered_provider_id, provider_id) as provider_id,
    left_here and coalesce(said, '') <> 'invalid' as attempted
from answered;
