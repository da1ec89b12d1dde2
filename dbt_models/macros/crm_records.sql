{#
What the CRMs call one thing, as one expression: `crm_field('amount', ['Amount', 'amount', 'money'])` for the columns that
`crm_paths` unpacked. A CRM's own names differ in case, so each gets a column by its place.
#}
{% macro crm_paths(fields) -%}
    {%- set paths = {'system': 'system', 'object': 'object', 'record_id': 'id', 'deleted': 'deleted', 'changed_text': 'changed_at'} -%}
    {%- for name, names in fields.items() -%}
        {%- for one in names -%}
            {%- do paths.update({name ~ '_' ~ loop.index: 'fields.' ~ one}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(paths) }}
{%- endmacro %}

{% macro crm_field(name, names) -%}
    coalesce({% for one in names %}nullif({{ name }}_{{ loop.index }}, ''), {% endfor %}null)
{%- endmacro %}

{# A moment as the CRMs write it: ISO text, or milliseconds since 1970. #}
{% macro crm_timestamp(text) -%}
    case
        when regexp_matches({{ text }}, '^[0-9]{11,14}$') then {{ epoch_timestamp(text, 1000) }}
        else {{ utc_timestamp(text) }}
    end
{%- endmacro %}

{# The domain of a web site's address. #}
{% macro web_domain(address) -%}
    nullif(regexp_replace(regexp_replace(lower(trim({{ address }})), '^[a-z]+://', ''), '(^www\.)|([/:?#].*$)', '', 'g'), '')
{%- endmacro %}
