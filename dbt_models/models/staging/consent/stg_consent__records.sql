with records as (
    {{ unpack(source('raw', 'consent_records'), {
        'consent_id': 'consent_id',
        'identifier_type': 'identifier_type',
        'identifier': 'identifier',
        'channel': 'channel',
        'topic': 'topic',
        'purpose': 'purpose',
        'status_said': 'status',
        'recorded_by': 'source',
        'wording': 'wording',
        'double_opt_in': 'double_opt_in',
        'occurred_text': 'occurred_at',
        'expires_text': 'expires_at'
    }) }}
)

select
    coalesce(consent_id, _event_id) as consent_id,
    lower(identifier_type) as identifier_type,
    case lower(identifier_type)
        when 'email' then {{ email_address('identifier') }}
        when 'phone' then {{ phone_number('identifier') }}
        else nullif(trim(identifier), '')
    end as identifier,
    lower(trim(channel)) as channel,
    coalesce(nullif(lower(trim(topic)), ''), 'all') as topic,
    lower(trim(purpose)) as purpose,
    -- a word that nobody knows is taken for a no, never for silence
    case
        when lower(trim(status_said)) in ('granted', 'given', 'accepted', 'opt_in', 'opted_in', 'subscribed', 'yes', 'true') then 'granted'
        when lower(trim(status_said)) in ('pending', 'requested', 'unconfirmed') then 'pending'
        when lower(trim(status_said)) in ('confirmed', 'do_not_contact', 'may_contact') then lower(trim(status_said))
        else 'withdrawn'
    end as status,
    lower(trim(status_said)) as status_said,
    recorded_by,
    wording,
    coalesce(try_cast(double_opt_in as boolean), false) as double_opt_in,
    coalesce({{ utc_timestamp('occurred_text') }}, _landed_at) as occurred_at,
    -- an end that cannot be read has come
    coalesce({{ utc_timestamp('expires_text') }}, case when trim(expires_text) <> '' then _landed_at end) as expires_at,
    _batch_id,
    _landed_at
from records
