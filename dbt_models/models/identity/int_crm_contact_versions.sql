select * from {{ ref('stg_crm__contact_versions') }}
where {{ unseen_batches(ref('stg_crm__contact_versions')) }}
