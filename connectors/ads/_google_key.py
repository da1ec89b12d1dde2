"""The key of the sandbox's service account, as the JSON file that Google gives out. It opens nothing but the sandbox."""

from __future__ import annotations

from textwrap import wrap

import orjson

# PKCS 8, in base64.
PRIVATE_KEY = (
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDK0rLrge1NCahll6DhLgeFgBu6mNaTt951DyI9Dv/isDHGK3teFtlGE7a+WgkxNrRLnWh3"
    "PoVRXXBlzwLtzd0go8c/VuAYLC9rIaonVmb+NdUrsSs/vv//lqfCGn8jClbC21j47XTb0ZPCcP61NebuPyFBi+T74LALqLk3J0stRAiJYOkm8aGbqiFdcKpT"
    "BIZ71UiNBeK9HbNphtvMDT4dd505o6u+/PQyPLQKTzEiCB6N6w6vIC9ivHZUmjiEWNcfXA2DoenPreCwMqZC6B4UR8+cIyhZR4xnjL4FzP7Hym2/ZQJpwCWE"
    "jPmGQHZLRD0YWByxbRGG8S5230fK0cKPAgMBAAECggEAGdCumD4ty4fmqKOfhPm8WFghb2MjsKKPDHw0IexmUl6Vv0Dqj2O+HObGdDz2fY6WbSdoVAEfq+cG"
    "Ntcd6tGwiwZ9hkjS9hCtqmebBi2/pyyH6OtAc3kmkUwGJzUDKJ0YxO1xSiHDJXVr5qxGJx9ouLtNSs/5Abwr/BfqFySHs4eCwf/O78aWRzV2u35mPoIaqqUm"
    "74gLytpOCwXK1PB0uU+UWePkcgq7vDug7sLEHksTGzPQIToK7VWXMT555C7YJAS7PqSybz3+QoD1B/CxpSi9dsAQ766TCbolOm5aJMr7NuWtybVYnmqlBXzU"
    "IYYZVhvEKfnQ66GsTnsBOZKSCQKBgQDmrHl72TzBFeGykU09RwaU//jWR0zy70mnNFMqiNVpt26fYnUs9H0mgQHdBMygIfBwyClV1Iy7bMK3iM23ahjLVVSx"
    "ERo5YO/KE7+Qp84Zv84exKZ7VN8cZpYD1bQ8Hft/ncm1BChrCHJy0qnYshUKNBquDhAikwDD/1uCQfA9FwKBgQDhF217hpbv90RQgfzLnuTZUr3/3rpDBdmL"
    "XIk+vGtKq1q2v47pp8Sh6gaV0v0B7/1dgoSANt7iU1lf0NuF2sa0GNBPh+BtPSZbds08J9LIcW9QVmtsIZAkvilaCLQoEt8WlZZPPeA1QHMdUtfMIPrwKlE4"
    "BJrKyVLDfl1HuA7BSQKBgC3GOhE+iZTTT8dMmCQ5zO+SYAG9gmKO43G/q2U8ZAUndldAhXoXRiJ25TTDuAtq0LjAr5sto4Op0HX1OsVT03m+BCFjAG40c0EJ"
    "bDE7a2WmrzNh2JuOuvt6y/gU10A6vuaTHCzEl3St53Arp7KtnAk7T7QMbF1ACJ3cNX+CsDafAoGAedaGioB1nvqG3dUektE1KnVhJujWhYTbFlZGa9DteoN6"
    "HMVfhBYtlz7nxZ1pGe1fhYgqVIRe7L8U94pD6RZczAtKZmI0Fq0s4AFUYiVkMN9F04STrPoV3e2Y0IU5jx935e+eZtIlVG3IYaz/5hxL+EfPorTLXMzQocT6"
    "lOGKCxECgYAiurJbklj4M4nT0X9Kd9h4pKt8tkvWzRbAJo6p5znFxoGPTb9ppiVofSZc+ZFUG/G6Kt/VCpG21IecdycgIqLsw59N9mhWj6FJM1Z7Jar47PsH"
    "MLSX5Nrl5r4E52wB2scM88122AqINHW7cUHLLsEW7ff7eDR6Ba9g7XjXodnHTg=="
)
SANDBOX = orjson.dumps(
    {
        "type": "service_account",
        "private_key_id": "sandbox",
        "private_key": "\n".join(["-----BEGIN PRIVATE KEY-----", *wrap(PRIVATE_KEY, 64), "-----END PRIVATE KEY-----", ""]),
        "client_email": "sluice@sandbox.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
).decode()
