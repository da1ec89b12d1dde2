{#
A select of (identifier_key, kind, reason): why an identifier's ties are not believed. The kind says which of them: 'machine' all of a
device, 'shared' all that count partners, a type of identifier those to identifiers of that type alone.
#}
{% macro doubts(partners, machines) -%}
    select device_key as identifier_key, 'machine' as kind, 'seen on a machine: ' || reason as reason
    from {{ machines }}
    union all
    select
        identifier_key,
        kind,
        case when kind = 'shared' then min(reason) else max(reason) end
    from (
        select
            identifier_key,
            -- shared by so many that nothing it is seen with can be trusted, or only its ties to this one type
            case when drops = 'partner_type' then partner_type else 'shared' end as kind,
            'more than ' || max_partners || ' of ' || partner_type || ' at one ' || identifier_type as reason
        from {{ partners }}
        where is_over_limit
    ) as over_limit
    group by identifier_key, kind
{%- endmacro %}
