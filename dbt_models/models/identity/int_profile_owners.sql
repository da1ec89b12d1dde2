with contacts as (
    select * from {{ crm_contacts_known() }} as known
    where owner is not null
)

select
    chosen.profile_id,
    contacts.owner,
    owners.name as owner_name,
    owners.email as owner_email,
    owners.phone as owner_phone,
    owners.wecom_userid as owner_wecom_userid
from {{ ref('int_profile_values') }} as chosen
join contacts on chosen.crm_contact_id = contacts.contact_id
left join {{ ref('crm_owners') }} as owners using (owner)
