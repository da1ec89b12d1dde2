with records as (
    {{ unpack(source('raw', 'consent_records'), {
        'consent_id': 'consent_id',
        'identifier_type': 'identifier_type',
        'identifier': 'identifier',
        'channel': 'channel',
        'purpose': 'purpose',
        'status': 'status',
        'recorded_by': 'source',
        'wording': 'wording',
        'double_opt_in': 'double_opt_in',
        'occurred_text': 'occurred_at'
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
    lower(channel) as channel,
    lower(purpose) as purpose,
    lower(status) as status,
    recorded_by,
    wording,
    coalesce(try_cast(double_opt_in as boolean), false) as double_opt_in,
    coalesce({{ utc_timestamp('occurred_text') }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from records
