with members as (
    {{ unpack(source('raw', 'list_members'), {
        'list_name': 'list',
        'member': 'member',
        'email': 'email',
        'phone': 'phone',
        'wechat_openid': 'wechat_openid',
        'wechat_unionid': 'wechat_unionid',
        'user_id': 'user_id',
        'first_name': 'first_name',
        'last_name': 'last_name',
        'full_name': 'full_name',
        'company': 'company',
        'title': 'title',
        'city': 'city',
        'country': 'country',
        'birthday': 'birthday'
    }) }}
)

select
    -- the member is an identifier of a person, and ids turn up where personal data must not
    md5(list_name || '|' || member) as list_member_id,
    list_name,
    {{ email_address('email') }} as email,
    {{ phone_number('phone') }} as phone,
    nullif(trim(wechat_openid), '') as wechat_openid,
    nullif(trim(wechat_unionid), '') as wechat_unionid,
    nullif(trim(user_id), '') as user_id,
    first_name,
    last_name,
    full_name,
    company,
    title,
    city,
    country,
    try_cast(birthday as date) as birthday,
    _batch_id,
    _landed_at
from members
qualify row_number() over (partition by list_name, member order by _landed_at desc, _batch_id desc, _line desc) = 1
