with changes as (
    {{ unpack(source('raw', 'crm_changes'), {
        'change_id': 'eventId',
        'subscription_type': 'subscriptionType',
        'object_id': 'objectId',
        'property_name': 'propertyName',
        'property_value': 'propertyValue',
        'occurred_text': 'occurredAt'
    }) }}
)

select
    coalesce(change_id, _event_id) as change_id,
    lower(subscription_type) as subscription_type,
    object_id,
    lower(property_name) as property_name,
    property_value,
    coalesce({{ epoch_timestamp('occurred_text', 1000) }}, _landed_at) as occurred_at,
    _batch_id,
    _landed_at
from changes
