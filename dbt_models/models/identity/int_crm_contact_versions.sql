{%- set rules = own_words() -%}
{%- do start_over_with_other(rules) -%}

select
    *,
    '{{ rules }}' as _rules
from {{ ref('stg_crm__contact_versions') }}
where {{ unseen_batches(ref('stg_crm__contact_versions')) }}
