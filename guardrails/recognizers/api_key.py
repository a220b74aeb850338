"""Keys and tokens that providers issue with a prefix of their own."""

from guardrails.recognizers.base import Candidate, Recognizer, Shape
from guardrails.recognizers.entropy import entropy, stands_in

_MIN_BITS = 2.5
"""Entropy a character below which an issued key does not fall; `sk_test_aaaa...` does."""


def _issued(candidate: Candidate) -> bool:
    return entropy(candidate.value) >= _MIN_BITS and not stands_in(candidate.value)


# (prefix, characters after it), as the providers document their formats.
_ISSUED = (
    (r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|AIPA|ANPA)", r"[A-Z2-7]{16}"),  # AWS
    (r"ABSK", r"[A-Za-z0-9+/]{100,270}={0,2}"),  # AWS Bedrock
    (r"bedrock-api-key-", r"[A-Za-z0-9+/=]{20,900}"),
    (r"gh[pousr]_", r"[A-Za-z0-9]{36,255}"),  # GitHub
    (r"github_pat_", r"[A-Za-z0-9_]{22,255}"),
    (r"(?:glpat|gldt|glptt|glrt|glcbt|glft|glimt|glagent|gloas|glsoat)-", r"[\w=.-]{20,120}"),
    (r"GR1348941", r"[\w-]{20}"),  # GitLab runner registration
    (r"_gitlab_session=", r"[0-9a-z]{32}"),
    (r"(?:sk|rk)_(?:live|test|prod)_", r"[A-Za-z0-9]{10,247}"),  # Stripe
    (r"[a-z]{2,12}_(?:live|prod|secret|private)_", r"[A-Za-z0-9]{20,128}"),  # Stripe's example
    (r"pat-(?:na|eu|ap)\d-", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),  # HubSpot
    (r"pat", r"[A-Za-z0-9]{14}\.[0-9a-f]{64}"),  # Airtable
    (r"sk-or-v1-", r"[0-9a-f]{64}"),  # OpenRouter
    (r"(?:sk|pk)-lf-", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),  # Langfuse
    (r"sb_secret_", r"[\w-]{20,80}"),  # Supabase
    (r"sbp_", r"[0-9a-f]{40}"),
    (r"figd_", r"[\w-]{38,60}"),  # Figma
    (r"CFPAT-", r"[\w-]{43}"),  # Contentful
    (r"pdl_(?:live|sdbx)_apikey_", r"[a-z0-9]{26}_[A-Za-z0-9]{22}_[A-Za-z0-9]{3}"),  # Paddle
    (r"(?:nfp|nfc|nfo)_", r"[A-Za-z0-9]{36,40}"),  # Netlify
    (r"n8n_api_", r"[A-Za-z0-9]{40,120}"),
    (r"napi_", r"[a-z0-9]{50,70}"),  # Neon
    (r"npg_", r"[A-Za-z0-9]{12,40}"),
    (r"rnd_", r"[A-Za-z0-9]{24,40}"),  # Render
    (r"tskey-(?:api|auth|client)-", r"[A-Za-z0-9-]{20,80}"),  # Tailscale
    (r"tvly-", r"[\w-]{20,60}"),  # Tavily
    (r"pcsk_", r"[\w-]{40,90}"),  # Pinecone
    (r"HRKU-", r"[\w-]{30,80}"),  # Heroku
    (r"re_", r"[A-Za-z0-9]{8}_[A-Za-z0-9]{20,30}"),  # Resend
    (r"(?:sdk|api|mob)-", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),  # LaunchDarkly
    (r"sk\.eyJ", r"[\w-]{40,200}\.[\w-]{20,40}"),  # Mapbox
    (r"access-(?:sandbox|development|production)-", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    (r"access_token\$(?:production|sandbox)\$", r"[0-9a-z]{16}\$[0-9a-f]{32}"),  # Braintree
    (r"whsec_", r"[A-Za-z0-9+/=]{24,80}"),
    (r"xox[abeoprs](?:\.xox[bp])?-", r"[A-Za-z0-9-]{14,250}"),  # Slack
    (r"xapp-\d-", r"[A-Za-z0-9-]{20,200}"),
    (r"https?://hooks\.slack\.com/(?:services|workflows|triggers)/", r"[A-Za-z0-9+/]{40,80}"),
    (r"AIza", r"[\w-]{35}"),  # Google
    (r"ya29\.", r"[\w-]{20,300}"),
    (r"GOCSPX-", r"[\w-]{28}"),
    (r"sk-ant-[a-z0-9]{3,12}-", r"[\w-]{80,120}"),  # Anthropic
    (r"sk-(?:proj|svcacct|admin|None)-", r"[\w-]{20,200}"),  # OpenAI
    (r"sk-", r"[A-Za-z0-9]{20,64}"),
    (r"hf_", r"[A-Za-z]{34}"),  # Hugging Face
    (r"api_org_", r"[A-Za-z]{34}"),
    (r"SG\.", r"[\w-]{16,32}\.[\w-]{30,64}"),  # SendGrid
    (r"(?:SK|AC)", r"[0-9a-f]{32}"),  # Twilio
    (r"key-", r"[0-9a-f]{32}"),  # Mailgun
    (r"", r"[0-9a-f]{32}-us\d{1,2}"),  # Mailchimp
    (r"npm_", r"[A-Za-z0-9]{36}"),
    (r"pypi-AgEIcHlwaS5vcmc", r"[\w-]{50,900}"),
    (r"rubygems_", r"[0-9a-f]{48}"),
    (r"CLOJARS_", r"[0-9a-z]{60}"),
    (r"oy2", r"[a-z0-9]{43}"),  # NuGet
    (r"dckr_(?:pat|oat)_", r"[\w-]{27,32}"),  # Docker
    (r"do[oprt]_v1_", r"[0-9a-f]{64}"),  # DigitalOcean
    (r"dapi", r"[0-9a-f]{32}(?:-\d)?"),  # Databricks
    (r"dp\.(?:pt|st|ct|sa|scim|audit)\.", r"[\w.]{40,60}"),  # Doppler
    (r"dt0c01\.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),  # Dynatrace
    (r"EZ[AT]K", r"[A-Za-z0-9]{54}"),  # EasyPost
    (r"(?:fo1_|fm1[ar]_|fm2_)", r"[\w+/-]{43,900}={0,3}"),  # Fly.io
    (r"FLWSECK_TEST-", r"[A-Za-z0-9]{12,32}(?:-X)?"),
    (r"glc_", r"[A-Za-z0-9+/]{32,400}={0,3}"),  # Grafana
    (r"glsa_", r"[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
    (r"[A-Za-z0-9]{14}\.atlasv1\.", r"[\w=-]{60,70}"),  # Terraform Cloud
    (r"hv[sbr]\.", r"[\w-]{24,300}"),  # Vault
    (r"HRKU-", r"[\w-]{58,70}"),  # Heroku
    (r"ico-", r"[A-Za-z0-9]{32}"),  # Infracost
    (r"lin_(?:api|oauth)_", r"[A-Za-z0-9]{32,64}"),  # Linear
    (r"lp_[a-z]{2,10}_", r"[\w-]{20,64}"),
    (r"(?:NRAK|NRII|NRJS|NRIQ)-", r"[\w-]{19,42}"),  # New Relic
    (r"ntn_", r"[A-Za-z0-9]{40,50}"),  # Notion
    (r"secret_", r"[A-Za-z0-9]{43}"),
    (r"pnu_", r"[A-Za-z0-9]{36}"),  # Prefect
    (r"pul-", r"[0-9a-f]{40}"),  # Pulumi
    (r"PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),  # Postman
    (r"phc_|phx_", r"[A-Za-z0-9]{40,50}"),  # PostHog
    (r"pscale_(?:tkn|pw|oauth)_", r"[\w=.-]{32,64}"),  # PlanetScale
    (r"rdme_", r"[a-z0-9]{70}"),  # ReadMe
    (r"r8_", r"[A-Za-z0-9]{37}"),  # Replicate
    (r"gsk_", r"[A-Za-z0-9]{48,56}"),  # Groq
    (r"xai-", r"[A-Za-z0-9]{70,90}"),
    (r"pplx-", r"[A-Za-z0-9]{40,56}"),  # Perplexity
    (r"sntrys_", r"[A-Za-z0-9+/=_]{80,400}"),  # Sentry
    (r"sntryu_", r"[a-f0-9]{64}"),
    (r"sgp_", r"(?:[A-Fa-f0-9]{16}_|local_)?[A-Fa-f0-9]{40}"),  # Sourcegraph
    (r"sq0(?:atp|csp|idp)-", r"[\w-]{21,64}"),  # Square
    (r"EAAA[A-Za-z0-9]", r"[\w+=-]{50,64}"),
    (r"EAA[MC]", r"[A-Za-z0-9]{100,400}"),  # Facebook page
    (r"sq[uap]_", r"[A-Za-z0-9]{40}"),  # Sonar
    (r"shp(?:at|ca|pa|ss)_", r"[a-fA-F0-9]{32}"),  # Shopify
    (r"shippo_(?:live|test)_", r"[a-fA-F0-9]{40}"),
    (r"sha256~", r"[\w-]{43}"),  # OpenShift
    (r"tk-us-", r"[\w-]{48}"),  # Scalingo
    (r"tfp_", r"[\w.=-]{59}"),  # Typeform
    (r"s-s4t2(?:ud|af)-", r"[0-9a-f]{64}"),  # 42
    (r"sm_(?:aat|pat|sat)_", r"[A-Za-z0-9]{16}"),  # SettleMint
    (r"xkeysib-", r"[0-9a-f]{64}-[A-Za-z0-9]{16}"),  # Brevo
    (r"v1\.0-", r"[a-f0-9]{24}-[a-f0-9]{146}"),  # Cloudflare origin CA
    (r"AKCp", r"[A-Za-z0-9]{60,80}"),  # Artifactory
    (r"cmVmd", r"[A-Za-z0-9]{59}"),
    (r"ATATT3", r"[\w=-]{180,200}"),  # Atlassian
    (r"ops_eyJ", r"[A-Za-z0-9+/]{100,1000}={0,3}"),  # 1Password
    (r"A3-", r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}"),
    (r"p8e-", r"[a-z0-9]{32}"),  # Privateer
    (r"PK(?:LV|TEST)?-", r"[A-Z0-9-]{30,50}"),
    (r"API-", r"[A-Z0-9]{26,32}"),  # Octopus Deploy
    (r"AQVN", r"[\w-]{35,38}"),  # Yandex
    (r"t1\.[A-Z0-9a-z_-]{1,64}={0,2}\.", r"[A-Z0-9a-z_-]{86}={0,2}"),
    (r"YC", r"[\w-]{38}"),
    (r"4b1d", r"[A-Za-z0-9]{38}"),  # ClickHouse Cloud
    (r"\d{15,16}(?:\||%7[cC])", r"[\w-]{27,40}"),  # Facebook application
    (r"[0-9]{8,10}:AA", r"[\w-]{32,33}"),  # Telegram
    (r"[\w~.]{3}\dQ~", r"[\w~.-]{31,34}"),  # Azure AD
)  # fmt: skip

_STARTS = r"(?:^|[^\w-]|\\n|%3D)"


def _hint(prefix: str) -> tuple[str, ...]:
    """The literal start of a prefix, when it is long enough to save a scan."""
    head = ""
    for char in prefix.replace("\\.", "."):
        if char in "(?:[\\{":
            break
        head += char
    return (head.lower(),) if head and "|" not in prefix else ()


API_KEY = Recognizer(
    "API_KEY",
    (
        *(
            Shape(rf"{_STARTS}((?:{prefix}){body})", 0.98, _hint(prefix), _issued)
            for prefix, body in _ISSUED
        ),
        Shape(
            r"(ey[A-Za-z0-9]{15,1000}\.ey[\w\\/-]{15,1000}(?:[\w\\/-]{0,1000})"
            r"(?:\.[\w\\/=-]{0,1000})?)",
            0.99,
            ("ey",),
            _issued,
        ),
    ),
)
