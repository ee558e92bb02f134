"""What a supplier's refusal means: one table from statuses, codes and words to kinds.

The rows are tried in order and the first that matches counts, among the kinds that the status may
stand for. To add a supplier's code or words, add them to a row, and the documented body with its
source to tests/fixtures/refusals.jsonl.
"""

import re
from dataclasses import dataclass
from enum import Enum

from chatapp.chains.error_body import ErrorBody


class Kind(Enum):
    """The subject of a refusal."""

    AUTH = "auth"  # the key is wrong, expired or missing
    RIGHTS = "rights"  # the key is right, but may not do this
    REGION = "region"  # the country or network is not served
    QUOTA = "quota"  # the account has no credit
    RATE = "rate"  # too many requests or tokens in a short time
    DAY = "day"  # the same for a day or longer
    OVERLOADED = "overloaded"
    LOADING = "loading"  # the model is being loaded
    UNLOADED = "unloaded"  # no model is loaded, and none will be
    MEMORY = "memory"  # the supplier's machine has too little
    MODEL = "model"  # there is no such model
    CONTEXT = "context"  # the prompt is too long
    CONTENT = "content"  # the content is declined
    PICTURES = "pictures"  # the model does not see
    SETTING = "setting"  # a field of the request, which the body names
    REFUSED = "refused"  # refused for another reason
    PROXY = "proxy"  # the proxy of the settings refuses
    PAGE = "page"  # a web page: login, firewall, challenge
    GATEWAY = "gateway"  # a web page of a proxy that does not reach the supplier
    ADDRESS = "address"  # nothing at this address
    FAULT = "fault"  # the supplier's own


@dataclass(frozen=True, slots=True)
class Row:
    """A kind, the codes that stand for it, and words of codes and texts that do."""

    kind: Kind
    codes: frozenset[str]
    words: re.Pattern[str]

    def matches(self, body: ErrorBody) -> bool:
        """Return whether the body has one of the codes or words."""
        return bool(self.codes & body.codes or self.words.search(body.text))


def _row(kind: Kind, words: str, *codes: str) -> Row:
    return Row(kind, frozenset(codes), re.compile(words, re.IGNORECASE | re.DOTALL))


# Numeric codes, each only where a field holds it:
# - 1000 to 1313: GLM, https://docs.bigmodel.cn/cn/api/api-code
# - base_resp: MiniMax, https://platform.minimax.io/docs/api-reference/errorcode
# - 20012, 30001, 50505: SiliconFlow, https://docs.siliconflow.cn/cn/faqs/error-code
# - 10007 to 11203: Spark, https://www.xfyun.cn/doc/spark/HTTP%E8%B0%83%E7%94%A8%E6%96%87%E6%A1%A3.html
_ROWS = (
    _row(
        Kind.REGION,
        r"unsupported_country|(country|countries|territory|regions?)\b.{0,40}(not|un)[ -]?"
        r"(supported|available|allowed|permitted|served)|from unsupported (countries|regions)"
        r"|not (supported|available|allowed|served|offered) (in|from|for) (your|this|the) "
        r"(country|region|location|territory|data center)"
        r"|user location is not supported|forbidden request not allowed"
        r"|check your network settings|regionerror|error code: 1009\b"
        r"|(地区|区域|国家).{0,12}(不支持|不可用|限制|未开放)|不支持.{0,6}(地区|区域|国家)",
    ),
    _row(
        Kind.MEMORY,
        r"out of memory|outofmemory|cudamalloc|unable to allocate|failed to allocate"
        r"|more system memory|insufficient (gpu |v)?(memory|ram)\b|not enough (gpu )?memory"
        r"|no available memory|insufficient system resources|not enough resources to load"
        r"|显存不足|内存不足",
    ),
    # - unknown variant: DeepSeek; no endpoints: OpenRouter; not supported: llama.cpp, Kimi
    # - only supported by certain models: OpenAI; not a VLM: SiliconFlow; not a multimodal: vLLM
    _row(
        Kind.PICTURES,
        r"(image|vision|multi-?modal|visual) (inputs? |content |understanding )?(is |are )?not "
        r"(supported|enabled|available)"
        r"|(not|n't) (currently )?(support|accept)s? (any )?(image|vision|multi-?modal|picture)s?"
        r"(?! (format|type|size|mime))"
        r"|that support image|image_url\W{0,3} is only supported|unknown variant .?image_url"
        r"|(unsupported|invalid) content (part )?type\b.{0,8}image_url|not a (vlm|multi-?modal)\b"
        r"|at most 0 image|missing data required for image input"
        r"|不支持.{0,6}(图片|图像|视觉|多模态)(?!.{0,4}(格式|大小|尺寸))",
        "20041",
    ),
    _row(
        Kind.CONTEXT,
        r"context[_ ]?length|context[_ ](size|window|limit)|maximum context|max_model_len"
        r"|exceed_context|max_seq_len|tokens?[_ ]too[_ ]long|prompt (is )?too long|prompt length"
        r"|prompt contains .{0,60}too large"
        r"|too many (input |total )?tokens(?!.{0,40}\b(wait|per|again)\b)|too large to process"
        r"|(exceed|greater than|more than|longer than|over).{0,60}(context|max message tokens"
        r"|model token limit|max(imum)? ((model|prompt|input|sequence|allowed) )?length)"
        r"|input\b.{0,20}\btoo long|range of input length|input token count.{0,40}exceeds"
        r"|tokens_limit_reached|string_above_max_length|string too long|must be reduced"
        r"|reduce (the length of|your prompt|the prompt)|(request|request body) too large"
        r"|inputs`? (tokens \+ `?max_new_tokens|must have less than)"
        r"|keep from the initial prompt|context the overflows|context overflow"
        r"|上下文.{0,6}(超|过长)|(输入|请求|prompt).{0,6}(过长|超长|太长)|token.{0,8}超(出|过|限)",
        "1261", "10907",
    ),
    _row(
        Kind.CONTENT,
        r"content[_ ]?(filter|policy|management|security)|data_?inspection|responsibleai"
        r"|inappropriate content|moderation|safety (system|policy|settings|filter)|risk_?detection"
        r"|(?<!case[- ])\b(new_)?sensitive|sensitivecontent|considered high risk"
        r"|prohibited_content|prompt_blocked|_unsafe\b|blocked output|exists risk"
        r"|violat\w+ .{0,40}(polic|usage|terms|guideline)|敏感|违规|违反.{0,12}(规定|政策|法律)"
        r"|不安全.{0,8}内容|内容.{0,8}(安全|审核)",
        "1301", "10013", "10014", "10019", "base_resp.1026", "base_resp.1027",
    ),
    _row(
        Kind.QUOTA,
        r"insufficient[_ ](user[_ ]|account[_ ])?(balance|credits?|funds?)|insufficient_user_quota"
        r"|(balance|credits?).{0,20}(insufficient|exhausted|depleted|too low|used up)"
        r"|quota (is )?not enough|arrear|overdue|out of credits?|(requires?|need) more credits"
        r"|no credits? left|(not|n't) have any credits|credit balance|never purchased credits"
        r"|all available credits|payment[_ ]required|billing_(not|hard)|spend(ing)? limit"
        r"|budget has been exceeded"
        r"|free (tier|quota).{0,40}(exhausted|used up|only)|freetieronly"
        r"|resource_exhausted.*\blimit: 0\b|余额不足|欠费|额度不足|额度已?(用尽|用完|耗尽)"
        r"|套餐已?到期|配额(不足|已?用[尽完])",
        "1113", "1309", "30001", "base_resp.1008",
    ),
    _row(
        Kind.DAY,
        r"per[-_ ]?day|\b[rt]pd\b|daily (free )?(limit|quota|request|token|usage|allocation)"
        r"|(hour|week|month) allocated quota exceeded"
        r"|(今日|每日|当日|当天|单日|每周|每月|小时).{0,12}(上限|限额|次数|额度|限制)",
        "1304", "1308", "1310", "11201", "base_resp.2056",
    ),
    # Google says of every limit that the quota is exceeded, Alibaba of tokens per minute:
    # https://help.aliyun.com/zh/model-studio/error-code
    _row(
        Kind.RATE,
        r"resource_?exhausted|resource has been exhausted|allocationquota|token-limit",
    ),
    _row(
        Kind.QUOTA,
        r"insufficient_quota|exceeded[_ ]current[_ ]quota|exceeded your current quota"
        r"|quota.{0,20}(exhausted|used up|insufficient)",
    ),
    # Before RIGHTS: "does not exist or you do not have access to it".
    _row(
        Kind.MODEL,
        r"(?<!/)\bmodels?\b.{0,100}(not exist|n't exist|not found)|not found the model"
        r"|模型.{0,40}(不存在|未找到)",
        "1211", "20012",
    ),
    _row(
        Kind.RIGHTS,
        r"model_?not_?open|(has|have|is) not (been )?activated|access_?denied"
        r"|(key|token|project|account|team|user|organization|plan|subscription)\b.{0,60}"
        r"(not allowed|not permitted|no (access|permission)|not have (access|permission)"
        r"|not authorized to|can only access|not entitled)"
        r"|permission[_ ]?(denied|error)|insufficient[_ ]permissions?|missing scopes?"
        r"|not have (the )?(access|permission)s? to|ip_not_authorized"
        r"|account.{0,20}(suspended|disabled|deactivated|locked)"
        r"|无权|没有.{0,8}权限|未开放.{0,12}权限|暂未开放|未开通|已被(锁定|封禁|禁用)",
        "1110", "1112", "1220", "1311", "11200", "base_resp.2061",
    ),
    _row(
        Kind.UNLOADED,
        r"no models? (is |are )?(currently )?loaded|model (is )?(not loaded|unloaded)"
        r"|please load a model|model .{0,80}is not loaded",
    ),
    _row(
        Kind.LOADING,
        r"(?<!error )(?<!failed )(?<!while )(?<!when )\b(loading|starting|warming up)( the)? model"
        r"|model .{0,60}is (currently |still )?(loading|starting|warming)|still loading",
    ),
    _row(
        Kind.OVERLOADED,
        r"overloaded|over_?capacity|at capacity|no capacity|server (is )?(too )?busy"
        r"|service is too busy|high demand|maximum pending requests|no healthy upstream"
        r"|capacity[_ ]exceeded|no available model provider"
        r"|temporarily (overloaded|unavailable)|service_?unavailable|temporarily closed"
        r"|负载已?饱和|访问量过大|系统繁忙|服务繁忙|过载",
        "1305", "1312", "50505",
    ),
    _row(
        Kind.RATE,
        r"rate[_ -]?limit|too[_ ]many[_ ]requests|throttl|rate increased too quickly"
        r"|\b([rt]p[ms]|qps)\b|(requests?|tokens?) per (minute|second|min)\b"
        r"|limit_requests|limit_burst_rate|concurren(cy|t).{0,20}(limit|exceed|reached|quota)"
        r"|quota_?exceeded|quota exceeded|请求过于频繁|请求频率|频率限制|速率限制|并发",
        "1302", "1303", "1313", "10007", "11202", "11203",
        "base_resp.1002", "base_resp.1039", "base_resp.1041",
    ),
    _row(
        Kind.MODEL,
        r"model[_ ]?not[_ ]?(found|exist|supported|available)|unsupported[_ ]model"
        r"|\bmodels?\b.{0,100}(not supported|is not available|not served|not (a )?valid"
        r"|is unavailable|(been|is) (deprecated|retired|decommissioned|shut ?down)\b)"
        r"|unknown model|invalid model|not a valid model|no such model|deploymentnotfound"
        r"|deployment .{0,60}(not exist|not found)|model_decommissioned"
        r"|(endpoint|model)\.notfound|no (endpoints|available channels?|allowed providers)\b"
        r".{0,40}(found|for|available)|模型.{0,40}(已下线|不支持|不可用)|无可用渠道",
        "1221", "1222",
    ),
    _row(
        Kind.AUTH,
        r"(invalid|incorrect|wrong|expired|missing|illegal|bad|no)[_ -]+(x-)?api[-_ ]?key"
        r"|api[-_ ]?key.{0,40}(invalid|not valid|incorrect|expired|missing|not found|required"
        r"|disabled|revoked|wrong|not exist)|invalid_authentication|authentication|unauthori[sz]ed"
        r"|unauthenticated|auth credentials|(invalid|expired|malformed).{0,12}(token|credential)"
        r"|login fail|令牌|(密钥|身份).{0,12}(无效|错误|过期|失败|不正确)"
        r"|鉴权失败|认证失败",
        "1000", "1001", "1002", "1003", "1004", "base_resp.1004", "base_resp.2049",
    ),
    _row(Kind.ADDRESS, r"unexpected endpoint or method|(invalid|unknown|unrecognized) .{0,8}url\b"),
    _row(
        Kind.REFUSED,
        r"invalid[_ ](params?|parameters?|request|argument)\b|invalid_request_error|bad_?request",
        "1210", "1213", "1214", "1215", "base_resp.2013",
    ),
)  # fmt: skip

# What statuses mean where no row matches, and which kinds rows may find for them: any, for the
# other statuses from 400 to 499 and for 0, an error inside a stream.
_STATUS: dict[int, Kind] = {
    400: Kind.REFUSED,
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.RIGHTS,
    404: Kind.ADDRESS,
    405: Kind.ADDRESS,
    407: Kind.PROXY,
    408: Kind.FAULT,
    409: Kind.FAULT,
    413: Kind.CONTEXT,
    425: Kind.FAULT,
    429: Kind.RATE,
    451: Kind.REGION,
    498: Kind.OVERLOADED,  # Groq's own
    499: Kind.FAULT,
    529: Kind.OVERLOADED,
}
_ALWAYS = (407, 413)
_UNAVAILABLE = (Kind.LOADING, Kind.UNLOADED, Kind.OVERLOADED)
_FOUND: dict[int, tuple[Kind, ...]] = {
    401: (Kind.REGION, Kind.QUOTA, Kind.RIGHTS),
    402: (Kind.DAY,),
    403: (
        Kind.REGION, Kind.CONTENT, Kind.QUOTA, Kind.RIGHTS, Kind.MODEL, Kind.RATE, Kind.DAY,
        Kind.AUTH,
    ),
    404: (Kind.REGION, Kind.PICTURES, Kind.MODEL, Kind.RIGHTS, Kind.UNLOADED),
    405: (),
    429: (
        Kind.CONTEXT, Kind.QUOTA, Kind.RIGHTS, Kind.RATE, Kind.DAY, Kind.OVERLOADED, Kind.MODEL,
    ),
    500: (Kind.MEMORY, Kind.PICTURES, Kind.CONTEXT, *_UNAVAILABLE),
    503: (Kind.MEMORY, Kind.MODEL, *_UNAVAILABLE),
}  # fmt: skip
# Settings that we may send; a refusal that names one is about it, whatever else it says.
SETTINGS = frozenset(
    (
        "temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "seed",
        "presence_penalty", "frequency_penalty", "repetition_penalty", "stream_options",
        "parallel_tool_calls", "stream",
    )
)  # fmt: skip
ROLES = frozenset(("system", "developer"))
_LIMITS = (Kind.RATE, Kind.DAY, Kind.QUOTA)
_UNSUPPORTED = {"unsupported_parameter", "unsupported_value", "unknown_parameter"}
_CHALLENGED = (401, 403, 503)
_CHALLENGE = re.compile(r"challenge|captcha|cf-|attention required|just a moment", re.IGNORECASE)


def kind_of(status: int, body: ErrorBody) -> Kind:
    """Return what a status and body mean; status 0 is an error inside a stream."""
    if status in _ALWAYS:
        return _STATUS[status]
    if 300 <= status < 400:
        return Kind.ADDRESS
    if body.page:
        return _kind_of_page(status, body)
    for row in _ROWS:
        if _may_be(status, row.kind) and row.matches(body):
            return row.kind
        if row.kind is Kind.CONTENT and _names_setting(status, body):
            return Kind.SETTING
    if status >= 500 or not status:
        return _STATUS.get(status, Kind.FAULT)
    return _STATUS.get(status, Kind.REFUSED)


def _may_be(status: int, kind: Kind) -> bool:
    if status >= 500:
        return kind in _FOUND.get(status, (Kind.MEMORY, *_UNAVAILABLE))
    return status not in _FOUND or kind in _FOUND[status]


def _names_setting(status: int, body: ErrorBody) -> bool:
    """Return whether a setting is refused. Chat templates refuse a role with status 500."""
    if status in (0, 400, 422):
        named = body.names & (SETTINGS | ROLES) or body.codes & _UNSUPPORTED
        return bool(named) and not any(row.matches(body) for row in _ROWS if row.kind in _LIMITS)
    return status == 500 and bool(body.names & ROLES)


def _kind_of_page(status: int, body: ErrorBody) -> Kind:
    if status == 429:
        return Kind.RATE
    if status in (403, 451) and _ROWS[0].matches(body):
        return Kind.REGION
    if status in (404, 405):
        return Kind.ADDRESS
    if status >= 500 and not (status in _CHALLENGED and _CHALLENGE.search(body.text)):
        return Kind.GATEWAY
    return Kind.PAGE
