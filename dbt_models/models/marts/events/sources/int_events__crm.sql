with changes as (
    select * from {{ ref('stg_crm__changes') }}
    where subscription_type like 'contact.%'
)

select
    {{ event_columns(
        event_id="'crm:' || change_id",
        record_key="'crm:' || change_id",
        source="'crm'",
        channel="'crm'",
        event_name="case subscription_type
            when 'contact.creation' then 'CRM Contact Created'
            when 'contact.deletion' then 'CRM Contact Deleted'
            when 'contact.privacydeletion' then 'CRM Privacy Deletion'
            else 'CRM Property Changed'
        end",
        occurred_at='occurred_at',
        identifier_type="'crm_contact_id'",
        identifier='object_id',
        object_id='property_name',
        object_name='property_value'
    ) }}
from changes
