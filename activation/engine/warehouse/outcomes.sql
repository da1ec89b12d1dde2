-- Every row of the plan with its one outcome: invalid as planned, withheld by the gate, what the ledger recorded, else skipped.
create or replace temporary table outcomes as
select
    p.row_number, p.operation, p.key, p.profile_id, p.match_value, p.message_id, coalesce(p.acknowledges, p.payload) as payload, p.hash, p.hash_version,
    case
        when p.invalid_code is not null then 'invalid'
        when v.code is not null then 'withheld'
        when l.outcome is not null then l.outcome
        else 'skipped'
    end as outcome,
    coalesce(p.invalid_code, v.code, case when l.outcome = 'sent' then coalesce(nullif(l.code, ''), p.cause) end, l.code, $stop_code) as reason_code,
    coalesce(
        case p.invalid_code
            when 'NULL_KEY' then 'The row has no key.'
            when 'DUPLICATE_KEY' then 'The key stands on more than one row.'
            when 'NULL_MATCH' then 'The row has no value for what identifies it at the destination.'
        end,
        v.reason,
        case when l.outcome = 'sent' and p.cause = 'MERGED' then 'The profile was found to be another person''s, whose own record stays.' end,
        l.reason, $stop_reason
    ) as reason,
    coalesce(l.provider_id, p.provider_id) as provider_id,
    l.row_number is not null and coalesce(l.outcome, '') <> 'invalid' as attempted
from read_parquet($plan) as p
left join read_parquet($verdicts) as v using (row_number)
left join ledger_outcomes as l using (row_number);
