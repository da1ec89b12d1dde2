{# A select of (left_key, right_key, …) for the pairs of identity_manual_pairs with this verdict whose identifiers have both been seen. #}
{% macro manual_pairs(verdict, pairs, identifiers) -%}
    select
        left_identifiers.identifier_key as left_key,
        left_identifiers.identifier_type as left_type,
        right_identifiers.identifier_key as right_key,
        right_identifiers.identifier_type as right_type,
        pairs.reason,
        pairs.decided_at
    from {{ pairs }} as pairs
    join {{ identifiers }} as left_identifiers
        on pairs.left_type = left_identifiers.identifier_type
        and {{ manual_identifier('left') }} = left_identifiers.identifier
    join {{ identifiers }} as right_identifiers
        on pairs.right_type = right_identifiers.identifier_type
        and {{ manual_identifier('right') }} = right_identifiers.identifier
    where pairs.verdict = '{{ verdict }}'
{%- endmacro %}

{% macro manual_identifier(side) -%}
    case when pairs.{{ side }}_type = 'email' then lower(trim(pairs.{{ side }}_identifier)) else trim(pairs.{{ side }}_identifier) end
{%- endmacro %}
