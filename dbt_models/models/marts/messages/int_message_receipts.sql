{%- set rules = local_md5(own_words() ~ fingerprint(ref('message_event_types'))) -%}
{%- do start_over_with_other(rules) -%}
{%- set taken = batches_taken() -%}
{#- Most batches of callbacks have none, and would never be taken. -#}
{%- set jobs = '(select * from ' ~ ref('stg_wechat__callbacks') ~ " where event = 'templatesendjobfinish') as jobs" -%}

-- every receipt in one shape and one vocabulary; `code` is the vendor's word for what happened
with receipts as (
    select
        'mail:' || event_id as receipt_id, 'mail' as source, 'email' as channel,
        -- 5.x.x and 4.x.x: whether the address or the moment was wrong
        event || coalesce('.' || bounce_type, '') || coalesce('.' || left(status, 1), '') as code,
        message_id, provider_id, 'email' as identifier_type, email as identifier,
        reason, url, user_agent, is_machine_open, occurred_at, _batch_id, _landed_at
    from {{ ref('stg_mail__events') }}
    where {{ unseen_batches(ref('stg_mail__events'), 'mail', taken) }}
    union all
    select
        'sms:' || receipt_id, 'sms', 'sms',
        case when is_delivered then 'delivered' else coalesce(lower(error_code), 'unknown') end,
        message_id, provider_id, 'phone', phone,
        error_message, null, null, false, occurred_at, _batch_id, _landed_at
    from {{ ref('stg_sms__receipts') }}
    where {{ unseen_batches(ref('stg_sms__receipts'), 'sms', taken) }}
    union all
    select
        'wechat_jobs:' || callback_id, 'wechat_jobs', 'wechat',
        status,
        null, provider_id, 'wechat_openid', openid,
        status, null, null, false, occurred_at, _batch_id, _landed_at
    from {{ ref('stg_wechat__callbacks') }}
    where event = 'templatesendjobfinish' and {{ unseen_batches(jobs, 'wechat_jobs', taken) }}
    union all
    select
        'wecom_tasks:' || result_id, 'wecom_tasks', 'wechat',
        status,
        null, provider_id, 'wecom_external_userid', external_userid,
        -- nobody but the member sends it
        member_id || ' was asked to send it: ' || status, null, null, false, occurred_at, _batch_id, _landed_at
    from {{ ref('stg_wecom__message_results') }}
    where {{ unseen_batches(ref('stg_wecom__message_results'), 'wecom_tasks', taken) }}
    union all
    select
        'tracking:' || event_id, 'tracking', channel,
        event,
        message_id, null, null, null,
        null, url, user_agent, false, occurred_at, _batch_id, _landed_at
    from {{ ref('stg_tracking__events') }}
    where {{ unseen_batches(ref('stg_tracking__events'), 'tracking', taken) }}
),

codes as (
    select distinct source, code from receipts
),

vocabulary as (
    select
        codes.source,
        codes.code,
        types.event_type,
        types.bounce_type,
        row_number() over (partition by codes.source, codes.code order by types.priority) as place
    from codes
    join {{ ref('message_event_types') }} as types
        on codes.source = types.source
        and regexp_matches(codes.code, types.pattern)
)

select
    receipts.*,
    coalesce(vocabulary.event_type, 'other') as event_type,
    vocabulary.bounce_type,
    '{{ rules }}' as _rules
from receipts
left join vocabulary
    on receipts.source = vocabulary.source
    and receipts.code = vocabulary.code
    and vocabulary.place = 1
