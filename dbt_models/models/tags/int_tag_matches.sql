{%- set redo = changed_events('profile_id', as_of_now=true, rules=[ref('tag_rules'), ref('tag_lexicons'), ref('tag_lexicon_terms')]) -%}

-- every event that speaks for a tag: by a rule, or by words of a lexicon in what was read, searched, filled in or said
with events as (
    select
        profile_id, event_id, occurred_at, source, event_name, object_id, object_name, product_category, search_keyword, page_url, page_title
    from {{ redo.events }}
    where
        {{ redo.wanted }}
        and profile_id is not null
        and not is_bot
        and occurred_at <= {{ as_of() }}
),

said as (
    select
        profile_id,
        event_id,
        occurred_at,
        unnest([page_title, search_keyword, object_name]) as text
    from events
    union all
    -- what was written to the account
    select profile_id, event_id, occurred_at, {{ json_text('properties', 'content') }}
    from {{ ref('fct_events') }}
    where
        source = 'wechat'
        and {{ redo.mine }}
        and profile_id is not null
        and not is_bot
        and occurred_at <= {{ as_of() }}
    union all
    -- what was said in a chat is read here, and kept in no event
    select events.profile_id, events.event_id, events.occurred_at, chats.text
    from events
    join {{ ref('stg_chat__messages') }} as chats
        on events.source = 'chat'
        and events.event_id = 'chat:' || chats.chat_message_id
),

-- a word is looked for once in each text, not once in each event; English ones between spaces
meanings as (
    select texts.text, terms.tag, min(terms.term) as term, lexicons.lexicon, lexicons.min_count, lexicons.window_days, lexicons.ttl_days
    from (
        select
            text,
            lower(text) as plain,
            ' ' || regexp_replace(lower(text), '[^a-z0-9]+', ' ', 'g') || ' ' as words
        from (select distinct text from said where text is not null) as distinct_texts
    ) as texts
    join {{ ref('tag_lexicon_terms') }} as terms
        on case terms.language
            when 'zh' then contains(texts.plain, terms.term)
            else contains(texts.words, ' ' || replace(terms.term, '-', ' ') || ' ')
        end
    join {{ ref('tag_lexicons') }} as lexicons on terms.lexicon = lexicons.lexicon and lexicons.is_enabled
    group by texts.text, terms.tag, lexicons.lexicon, lexicons.min_count, lexicons.window_days, lexicons.ttl_days
)

select
    events.profile_id, events.event_id, events.occurred_at,
    'rule' as kind, rules.rule, rules.tag, rules.min_count, rules.window_days, rules.ttl_days, null as term,
    {{ redo.stamp }}
from events
join {{ ref('tag_rules') }} as rules
    on events.event_name = rules.event_name
    and coalesce(events.product_category, '') like rules.category_like
    and coalesce(events.object_id, '') like rules.object_like
    and coalesce(events.page_url, '') like rules.url_like
union all
select
    said.profile_id, said.event_id, said.occurred_at,
    'lexicon', meanings.lexicon, meanings.tag, meanings.min_count, meanings.window_days, meanings.ttl_days, min(meanings.term),
    {{ redo.stamp }}
from said
join meanings using (text)
group by
    said.profile_id, said.event_id, said.occurred_at,
    meanings.lexicon, meanings.tag, meanings.min_count, meanings.window_days, meanings.ttl_days
