{#
A number that stands for what `texts` and `others` (columns) say. It may be another one in another version of the warehouse: what was
told by it is then made again.
#}
{% macro number_of(texts, others=[]) -%}
    {{ return(adapter.dispatch('number_of')(texts, others)) }}
{%- endmacro %}

{% macro default__number_of(texts, others) -%}
    hash({{ (texts + others) | join(', ') }})
{%- endmacro %}

{# DuckDB's hash passes over much of what differs far behind in a long text: the text moved makes up for it. #}
{% macro duckdb__number_of(texts, others) -%}
    hash({% for text in texts %}{{ text }}, substr({{ text }}, 5){{ ', ' if not loop.last }}{% endfor %}{% for other in others %}, {{ other }}{% endfor %})
{%- endmacro %}
