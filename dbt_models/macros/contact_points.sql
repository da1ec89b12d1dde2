{# An e-mail address as an identifier: trimmed and lower case, null where it is no address. #}
{% macro email_address(text) -%}
    {%- set address -%} lower(regexp_replace({{ text }}, '^\s+|\s+$', '', 'g')) {%- endset -%}
    case when regexp_matches({{ address }}, '^[^@\s]+@[^@\s]+\.[^@\s.]+$') then {{ address }} end
{%- endmacro %}

{#
A phone number as E.164, null where no number can be made of it. Numbers without a country code are Chinese: eleven digits from 13
to 19 are a mobile, a leading 0 is an area code. An extension is cut off. Of a Chinese number the length is checked too.
#}
{% macro phone_number(text) -%}
    {%- set digits -%}
        regexp_replace(regexp_replace({{ text }}, '(转|ext|x|#).*$', ''), '[^0-9+]', '', 'g')
    {%- endset -%}
    case
        when regexp_matches({{ digits }}, '^(\+|00)?861[3-9][0-9]{9}$') then '+' || right({{ digits }}, 13)
        when regexp_matches({{ digits }}, '^1[3-9][0-9]{9}$') then '+86' || {{ digits }}
        when regexp_matches({{ digits }}, '^0[1-9][0-9]{8,10}$') then '+86' || substr({{ digits }}, 2)
        when regexp_matches({{ digits }}, '^(\+|00)86') then case when regexp_matches({{ digits }}, '^(\+|00)86[2-9][0-9]{8,10}$') then '+' || ltrim({{ digits }}, '+0') end
        when regexp_matches({{ digits }}, '^(\+|00)[1-9][0-9]{7,14}$') then '+' || ltrim({{ digits }}, '+0')
    end
{%- endmacro %}

{# A whole name from its parts: family name first and no space in Chinese, given name first elsewhere. #}
{% macro full_name(first_name, last_name) -%}
    case
        when regexp_matches(coalesce({{ last_name }}, '') || coalesce({{ first_name }}, ''), '[一-鿿]')
            then nullif(coalesce({{ last_name }}, '') || coalesce({{ first_name }}, ''), '')
        else nullif(trim(coalesce({{ first_name }}, '') || ' ' || coalesce({{ last_name }}, '')), '')
    end
{%- endmacro %}
