{%- set fields = {
    'name': ['Name', 'name', 'accountName'],
    'site': ['Website', 'domain', 'url'],
    'industry': ['Industry', 'industry', 'industryId'],
    'employees': ['NumberOfEmployees', 'numberofemployees', 'employeeNumber'],
    'revenue': ['AnnualRevenue', 'annualrevenue', 'annual_revenue'],
    'city': ['BillingCity', 'city'],
    'country': ['BillingCountry', 'country'],
    'created': ['CreatedDate', 'createdate', 'create_time', 'createdAt'],
} -%}

with exported as (
    {{ unpack(source('raw', 'crm_accounts'), {
        'account_id': 'account_id',
        'name': 'name',
        'domain': 'domain',
        'industry': 'industry',
        'employees': 'employees',
        'annual_revenue': 'annual_revenue',
        'city': 'city',
        'country': 'country',
        'created_text': 'created_at',
        'updated_text': 'updated_at'
    }) }}
),

records as (
    {{ unpack(source('raw', 'crm_records'), crm_paths(fields)) }}
),

accounts as (
    select
        account_id, name, domain, industry, employees, annual_revenue, city, country,
        {{ utc_timestamp('created_text') }} as created_at,
        coalesce({{ utc_timestamp('updated_text') }}, {{ utc_timestamp('created_text') }}, _landed_at) as updated_at,
        false as is_deleted,
        _batch_id, _line, _landed_at
    from exported
    union all
    select
        -- ids of two CRMs may be the same
        system || ':' || record_id,
        {{ crm_field('name', fields.name) }},
        {{ web_domain(crm_field('site', fields.site)) }},
        {{ crm_field('industry', fields.industry) }},
        {{ crm_field('employees', fields.employees) }},
        {{ crm_field('revenue', fields.revenue) }},
        {{ crm_field('city', fields.city) }},
        {{ crm_field('country', fields.country) }},
        {{ crm_timestamp(crm_field('created', fields.created)) }},
        coalesce({{ utc_timestamp('changed_text') }}, _landed_at),
        coalesce(try_cast(deleted as boolean), false),
        _batch_id, _line, _landed_at
    from records
    where object in ('Account', 'companies', 'AccountObj', 'account')
),

-- as the CRM had them at the moment of the build
known as (
    select *
    from accounts
    qualify {{ version_as_of('account_id') }}
)

select
    account_id,
    name,
    nullif(lower(trim(domain)), '') as domain,
    industry,
    try_cast(employees as bigint) as employees,
    try_cast(annual_revenue as double) as annual_revenue,
    city,
    country,
    created_at,
    updated_at,
    _batch_id,
    _landed_at
from known
where
    not is_deleted
    and coalesce(created_at <= {{ as_of() }}, true)
