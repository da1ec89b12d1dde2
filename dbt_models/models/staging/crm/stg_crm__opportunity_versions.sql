{%- set fields = {
    'account': ['AccountId', 'account_id', 'accountId', 'hs_primary_associated_company'],
    'contact': ['ContactId', 'contact_id', 'contactId'],
    'name': ['Name', 'name', 'dealname', 'opportunityName'],
    'stage': ['StageName', 'dealstage', 'sales_stage__r', 'sales_stage', 'saleStageId'],
    'won': ['IsWon', 'hs_is_closed_won'],
    'closed': ['IsClosed', 'hs_is_closed'],
    'amount': ['Amount', 'amount', 'money'],
    'currency': ['CurrencyIsoCode', 'deal_currency_code', 'mc_currency'],
    'created': ['CreatedDate', 'createdate', 'create_time', 'createdAt'],
    'closing': ['CloseDate', 'closedate', 'close_date', 'closeDate'],
    'contract_end': var('crm_contract_end_fields'),
} -%}
{%- set won, lost = var('crm_won_stages') | join("', '"), var('crm_lost_stages') | join("', '") -%}

with exported as (
    {{ unpack(source('raw', 'crm_opportunities'), {
        'opportunity_id': 'opportunity_id',
        'account_id': 'account_id',
        'contact_id': 'contact_id',
        'name': 'name',
        'stage': 'stage',
        'amount': 'amount',
        'currency': 'currency',
        'created_text': 'created_at',
        'closed_text': 'closed_at',
        'ends_text': 'contract_ends_at',
        'updated_text': 'updated_at'
    }) }}
),

records as (
    {{ unpack(source('raw', 'crm_records'), crm_paths(fields)) }}
),

opportunities as (
    select
        'exported:' || _event_id as opportunity_version_id,
        opportunity_id,
        account_id,
        contact_id,
        name,
        lower(stage) as stage,
        amount,
        currency,
        coalesce({{ utc_timestamp('created_text') }}, _landed_at) as created_at,
        {{ utc_timestamp('closed_text') }} as closed_at,
        {{ utc_timestamp('ends_text') }} as contract_ends_at,
        coalesce({{ utc_timestamp('updated_text') }}, {{ utc_timestamp('created_text') }}, _landed_at) as updated_at,
        false as is_deleted,
        _batch_id, _line, _landed_at
    from exported
    union all
    select
        'pulled:' || _event_id,
        -- ids of two CRMs may be the same
        system || ':' || record_id,
        system || ':' || {{ crm_field('account', fields.account) }},
        system || ':' || {{ crm_field('contact', fields.contact) }},
        {{ crm_field('name', fields.name) }},
        case
            -- the CRM's own word on how it ended comes before what its stages are called
            when lower({{ crm_field('won', fields.won) }}) = 'true' then 'closed_won'
            when lower({{ crm_field('closed', fields.closed) }}) = 'true' then 'closed_lost'
            when {{ crm_stage(crm_field('stage', fields.stage)) }} in ('{{ won }}') then 'closed_won'
            when {{ crm_stage(crm_field('stage', fields.stage)) }} in ('{{ lost }}') then 'closed_lost'
            else {{ crm_stage(crm_field('stage', fields.stage)) }}
        end,
        {{ crm_field('amount', fields.amount) }},
        {{ crm_field('currency', fields.currency) }},
        coalesce({{ crm_timestamp(crm_field('created', fields.created)) }}, _landed_at),
        {{ crm_timestamp(crm_field('closing', fields.closing)) }},
        {{ crm_timestamp(crm_field('contract_end', fields.contract_end)) }},
        coalesce({{ utc_timestamp('changed_text') }}, _landed_at),
        coalesce(try_cast(deleted as boolean), false),
        _batch_id, _line, _landed_at
    from records
    where object in ('Opportunity', 'deals', 'NewOpportunityObj', 'OpportunityObj', 'opportunity')
)

select
    opportunity_version_id,
    opportunity_id,
    nullif(account_id, '') as account_id,
    nullif(contact_id, '') as contact_id,
    name,
    stage,
    try_cast(amount as double) as amount,
    currency,
    created_at,
    -- of a deal that is open, the day it is hoped to close is no day it closed
    case when stage in ('closed_won', 'closed_lost') then closed_at end as closed_at,
    contract_ends_at,
    updated_at,
    is_deleted,
    _batch_id,
    _line,
    _landed_at
from opportunities
