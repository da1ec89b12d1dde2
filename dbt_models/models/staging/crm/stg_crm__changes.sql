with told as (
    {{ unpack(source('raw', 'crm_changes'), {
        'change_id': 'eventId',
        'subscription_type': 'subscriptionType',
        'object_id': 'objectId',
        'property_name': 'propertyName',
        'property_value': 'propertyValue',
        'occurred_text': 'occurredAt'
    }) }}
),

-- the history that was pulled says when a field changed, also where no version of the record from that time is there
history as (
    {{ unpack(source('raw', 'crm_records'), {
        'system': 'system',
        'object': 'object',
        'record_id': 'id',
        'deleted': 'deleted',
        'contact_text': 'fields.ContactId',
        'lead_text': 'fields.LeadId',
        'account_text': 'fields.AccountId',
        'opportunity_text': 'fields.OpportunityId',
        'field_text': 'fields.Field',
        'value_text': 'fields.NewValue',
        'stage_text': 'fields.StageName',
        'created_text': 'fields.CreatedDate'
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
from told
union all
select
    system || ':' || record_id,
    case object
        when 'OpportunityHistory' then 'opportunity'
        when 'AccountHistory' then 'company'
        else 'contact'
    end || '.propertychange',
    system || ':' || coalesce(contact_text, lead_text, opportunity_text, account_text),
    case
        when object = 'OpportunityHistory' then 'stage'
        when lower(field_text) = 'status' then 'lead_status'
        else lower(field_text)
    end,
    coalesce(stage_text, value_text),
    coalesce({{ utc_timestamp('created_text') }}, _landed_at),
    _batch_id,
    _landed_at
from history
where
    object in ('LeadHistory', 'ContactHistory', 'AccountHistory', 'OpportunityHistory')
    and not coalesce(try_cast(deleted as boolean), false)
