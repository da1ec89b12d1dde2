{%- set fingerprint = 'sum(' ~ number_of(['_batch_id'], ['occurred_at', 'identifier_key', 'device_key']) ~ ')' -%}
{%- set wanted = batches_to_count_again(this, ref('int_events'), fingerprint) -%}

select
    _batch_id,
    identifier_key,
    device_key,
    message_id,
    user_agent,
    count(*) as events,
    -- a sum, for two of one batch and moment would take each other out of an xor
    {{ fingerprint }} as fingerprint
from {{ ref('int_events') }}
where {{ wanted }}
group by _batch_id, identifier_key, device_key, message_id, user_agent
