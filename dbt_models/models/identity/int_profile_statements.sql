-- what each source says about whoever has an identifier, before one value of each field is chosen for each person
with statements as (
    select
        'web' as source,
        {{ strongest_type(['user_id', 'email', 'phone', 'anonymous_id']) }} as identifier_type,
        coalesce(user_id, email, phone, anonymous_id) as identifier,
        anonymous_id,
        first_name, last_name, full_name, company, title, city, country,
        cast(null as date) as birthday,
        occurred_at as stated_at
    from {{ ref('stg_web__events') }}
    where message_type = 'identify'
    union all
    select
        'crm', 'crm_contact_id', contact_id, null,
        first_name, last_name, null, null, title, city, country,
        birthday,
        updated_at
    from (
        -- what the CRM said at that moment, where its versions go back so far
        select * from {{ ref('int_crm_contact_versions') }}
        where updated_at <= {{ as_of() }}
        qualify {{ latest_version('contact_id') }}
    ) as contacts
    union all
    select
        'forms',
        {{ strongest_type(['email', 'phone', 'anonymous_id']) }},
        coalesce(email, phone, anonymous_id),
        anonymous_id,
        first_name, last_name, null, company, title, null, null,
        null,
        submitted_at
    from {{ ref('stg_forms__submissions') }}
    union all
    select
        'webinar', 'email', email, null,
        null, null, full_name, null, null, null, null,
        null,
        registered_at
    from {{ ref('stg_webinar__attendance') }}
    union all
    select
        'offline',
        {{ strongest_type(['email', 'phone']) }},
        coalesce(email, phone),
        null,
        null, null, full_name, null, null, city, null,
        null,
        checked_in_at
    from {{ ref('stg_offline__checkins') }}
    union all
    select
        'lists',
        {{ strongest_type(['user_id', 'email', 'phone', 'wechat_unionid', 'wechat_openid']) }},
        coalesce(user_id, email, phone, wechat_unionid, wechat_openid),
        null,
        first_name, last_name, full_name, company, title, city, country,
        birthday,
        _landed_at
    from {{ ref('stg_lists__members') }}
)

-- an unknown date says nothing against it
select
    * replace (cast(birthday as varchar) as birthday)
from statements
where stated_at is null or stated_at <= {{ as_of() }}
