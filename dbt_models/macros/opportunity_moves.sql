{# Which stage an opportunity moved to and when, by the history that was pulled, or as HubSpot tells it. #}
{% macro opportunity_moves() -%}
    (
        select
            *,
            case subscription_type when 'deal.propertychange' then 'hubspot:' || object_id else object_id end as opportunity_id,
            {{ crm_stage('property_value') }} as moved_to
        from {{ ref('stg_crm__changes') }}
        where
            subscription_type in ('opportunity.propertychange', 'deal.propertychange')
            and property_name in ('stage', 'dealstage')
    )
{%- endmacro %}
