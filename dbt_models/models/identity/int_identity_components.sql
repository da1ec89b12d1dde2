with links as (
    select * from {{ ref('int_identity_links') }}
)

select left_key as identifier_key, component from links
union
select right_key, component from links
