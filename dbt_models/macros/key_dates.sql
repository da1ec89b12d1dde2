{# The next day, from the build's own on, with the day and month of a date. Who was born on a 29 February has it on the 28th in other years. #}
{% macro next_anniversary(day) -%}
    {%- set this_year -%}
        cast({{ day }} + (extract(year from {{ as_of() }}) - extract(year from {{ day }})) * interval '1 year' as date)
    {%- endset -%}
    {%- set next_year -%}
        cast({{ day }} + (extract(year from {{ as_of() }}) - extract(year from {{ day }}) + 1) * interval '1 year' as date)
    {%- endset -%}
    case when {{ this_year }} >= cast({{ as_of() }} as date) then {{ this_year }} else {{ next_year }} end
{%- endmacro %}
