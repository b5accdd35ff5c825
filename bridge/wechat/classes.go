package wechat

import (
	"time"

	"jiaxin/bridge/home"
)

// class is what an errcode means: what to do next, when, and what the operator can do about it.
type class struct {
	Outcome home.Outcome
	After   time.Duration
	zh, en  string // the cure; "": there is nothing for an operator to do
}

// unlisted is the class of a code that is in no table. WeChat adds codes, and a late message is better than a lost one.
var unlisted = class{
	home.Retry, 30 * time.Second,
	"这个错误码不认识：请在微信的全局返回码页面查询",
	"This code is unknown here: look it up on WeChat's page of global return codes",
}

// classes are the meanings of WeChat's errcodes for a delivery. Sources: the global return codes,
// https://developers.weixin.qq.com/doc/oplatform/developers/errCode/errCode.html, and the pages of each API.
//
// A pause is never long: a call per pause costs nothing, and what the operator has repaired works again at once.
var classes = map[int]class{
	-1: {home.Retry, time.Second, "", ""},

	// The token, turned down twice although it was fetched afresh.
	40001: {home.Paused, tokenPause, zhToken, enToken},
	40014: {home.Paused, tokenPause, zhToken, enToken},
	41001: {home.Paused, tokenPause, zhToken, enToken},
	42001: {home.Paused, tokenPause, zhToken, enToken},

	// The account.
	40013: {home.Paused, time.Minute, "请检查配置 wechat.app_id", "Check wechat.app_id in the configuration"},
	40125: {home.Paused, time.Minute, "请检查配置 wechat.secret；AppSecret 若已重置，请填新的", "Check wechat.secret in the configuration; if the AppSecret was reset, write the new one"},
	40243: {home.Paused, time.Minute, "AppSecret 已被冻结：请在微信开发者平台解冻", "The AppSecret is frozen: unfreeze it on WeChat's developer platform"},
	40164: {home.Paused, time.Minute, "请把本机的公网 IP 加入微信的 IP 白名单（地址见错误信息）", "Add this machine's public address to WeChat's IP whitelist (the message names it)"},
	48001: {home.Paused, 10 * time.Minute, "账号没有这个接口的权限：请确认是已认证的服务号", "The account may not use this API: make sure that it is a verified service account"},
	48004: {home.Paused, 10 * time.Minute, "接口已被微信封禁：请登录公众平台查看通知", "WeChat has banned this API: read the notice on the account's platform page"},
	50002: {home.Paused, 10 * time.Minute, "账号受限：请登录公众平台查看原因", "The account is restricted: see why on its platform page"},
	43107: {home.Paused, 10 * time.Minute, "订阅通知能力已被封禁：请登录公众平台查看通知", "Subscription notices are banned: read the notice on the account's platform page"},
	45009: {home.Paused, 10 * time.Minute, "今天的调用额度已用完：零点后恢复，也可在公众平台清零（每月 10 次）", "Today's quota is used up: it returns at midnight, or clear it on the platform page (10 times a month)"},
	45011: {home.Paused, time.Minute, "", ""},

	// The person.
	40003: {home.Refused, 0, "这个 openid 不属于本账号：是否换过账号？", "This openid is not of this account: was the account changed?"},
	43004: {home.Gone, 0, "", ""},
	43019: {home.Gone, 0, "对方在账号的黑名单里：如属误加，请在公众平台移出", "The person is on the account's blacklist: take them off it if that was a mistake"},
	48002: {home.Gone, 0, "", ""},
	43101: {home.Closed, 0, "", ""},
	43108: {home.Retry, time.Second, "", ""},
	45015: {home.Closed, 0, "", ""},
	45047: {home.Closed, 0, "", ""},

	// The template.
	40036: {home.Refused, 0, zhTemplate, enTemplate},
	40037: {home.Refused, 0, zhTemplate, enTemplate},
	43116: {home.Refused, 0, "模板已被封禁：请在公众平台换一个模板，并改 wechat.templates", "The template is banned: choose another on the platform page and change wechat.templates"},
	40249: {home.Refused, 0, "内容被微信拦截：请在公众平台查看被拦截的模板消息", "WeChat blocked the content: see the blocked template messages on the platform page"},
	47003: {home.Refused, 0, "字段不符合模板的规则（字段名见错误信息）：请核对 wechat.templates 的 fields 与模板", "A field breaks its template's rule (the message names it): compare the fields of wechat.templates with the template"},

	// The message.
	20002: {home.Refused, 0, "", ""},
	40033: {home.Refused, 0, "", ""},
	44002: {home.Refused, 0, "", ""},
	44004: {home.Refused, 0, "", ""},
	45002: {home.Refused, 0, "", ""},
	47001: {home.Refused, 0, "", ""},
	40200: {home.Refused, 0, "账号不支持这种消息（测试号没有菜单消息）", "The account may not send this kind of message (test accounts have no menus)"},
}

// tokenClasses are the codes that mean something else when they answer the request for a token itself.
var tokenClasses = map[int]class{
	40001: {home.Paused, time.Minute, "AppSecret 不对：请检查配置 wechat.secret", "The AppSecret is wrong: check wechat.secret in the configuration"},
	45009: {home.Paused, time.Minute, "取凭证的额度已用完：请检查是否有别的程序在用同一账号", "The quota of tokens is used up: see whether another program uses the same account"},
}

const (
	zhToken    = "微信不认刚取到的凭证：是否有别的程序在用同一账号强制刷新？"
	enToken    = "WeChat turns down a token fetched just now: does another program use the same account with forced refreshes?"
	zhTemplate = "模板不存在：请核对 wechat.templates 里的 template_id"
	enTemplate = "There is no such template: compare the template_id in wechat.templates with the account's"
)
