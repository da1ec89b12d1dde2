{%- set fields = [
    'title', 'city', 'country', 'language', 'lifecycle_stage', 'email_domain', 'is_free_mail', 'has_phone', 'has_account',
    'industry', 'employees', 'annual_revenue'
] -%}
{#- Of what no rule asks for nothing is said. -#}
{%- if execute and model.resource_type != 'unit_test' and flags.WHICH in ('run', 'build') -%}
    {%- set asked = run_query('select distinct field from ' ~ ref('int_score_rules') ~ " where kind = 'attribute'").columns[0].values() -%}
    {%- set fields = fields | select('in', asked) | list or fields -%}
{%- endif -%}

-- what is known of each person and the company, and the rules that it fulfils
with known as (
    select
        profiles.profile_id,
        profiles.title,
        profiles.city,
        profiles.country,
        profiles.language,
        profiles.lifecycle_stage,
        split_part(profiles.email, '@', 2) as email_domain,
        case when profiles.email is not null then free_mail_domains.domain is not null end as is_free_mail,
        profiles.phone is not null as has_phone,
        profiles.account_id is not null as has_account,
        accounts.industry,
        accounts.employees,
        accounts.annual_revenue
    from {{ ref('dim_profiles') }} as profiles
    left join {{ ref('dim_accounts') }} as accounts using (account_id)
    left join {{ ref('free_mail_domains') }} as free_mail_domains on split_part(profiles.email, '@', 2) = free_mail_domains.domain
),

attributes as (
    {% for field in fields %}
    select profile_id, '{{ field }}' as field, lower(cast({{ field }} as varchar)) as value from known
    where {{ field }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- a pattern is tried once on each value, not once on each person
fulfilled as (
    select distinct values.field, values.value, rules.model, rules.rule
    from (select distinct field, value from attributes) as values
    join {{ ref('int_score_rules') }} as rules
        on rules.kind = 'attribute'
        and values.field = rules.field
        and (rules.value_pattern is null or regexp_matches(values.value, rules.value_pattern))
        and (rules.min_value is null or try_cast(values.value as double) >= rules.min_value)
        and (rules.max_value is null or try_cast(values.value as double) <= rules.max_value)
)

select
    attributes.profile_id,
    fulfilled.model,
    fulfilled.rule,
    attributes.field || ': ' || attributes.value as evidence
from attributes
join fulfilled using (field, value)
