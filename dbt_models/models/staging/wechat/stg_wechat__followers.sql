with followers as (
    {{ unpack(source('raw', 'wechat_followers'), {
        'app_id': 'appid',
        'openid': 'openid',
        'unionid': 'unionid',
        'subscribe': 'subscribe',
        'subscribe_time': 'subscribe_time',
        'scene': 'subscribe_scene',
        'scene_text': 'qr_scene_str'
    }) }}
)

select
    -- the landed key has the openid in it, and ids turn up where personal data must not
    md5(_event_id) as version_id,
    app_id,
    nullif(openid, '') as openid,
    nullif(unionid, '') as unionid,
    subscribe = '1' as is_following,
    lower(nullif(scene, '')) as scene,
    nullif(scene_text, '') as qr_scene,
    {{ epoch_timestamp('subscribe_time') }} as followed_at,
    _batch_id,
    _landed_at
from followers
