{#
The reason of the first row of the seed whose pattern (a regular expression) fits `text`, else null; where the seed gives no reasons, the
pattern. Rows may be for one `identifier_type` only. The patterns are written out as constants, because one that comes from a column is
compiled anew for every row.
#}
{% macro reason_by_pattern(seed, text) -%}
    {%- set rules = [] -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'test') -%}
        {%- set rules = run_query('select * from ' ~ seed).rows -%}
    {%- endif -%}
    {%- if rules | length == 0 -%}
        cast(null as varchar)
    {%- else -%}
        case
            {%- for rule in rules %}
            {%- set reason = rule.get('reason', rule['pattern']) | replace("'", "''") %}
            when {% if rule.get('identifier_type', '*') != '*' %}identifier_type = '{{ rule['identifier_type'] }}' and {% endif -%}
                regexp_matches({{ text }}, '{{ rule['pattern'] | replace("'", "''") }}') then '{{ reason }}'
            {%- endfor %}
        end
    {%- endif -%}
{%- endmacro %}
