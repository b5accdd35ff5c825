// Package fakewechat is a WeChat on a laptop: one service account, its followers with their phones, and the servers in
// between, as an http.Handler. With it a gateway is tried and tested without an account, a phone or the internet.
//
// Promise: what the fake accepts, and how it answers, is what WeChat's documentation and its users' reports say, with
// errcodes under HTTP 200, windows, quotas, tokens and three tries for a callback. It shares no code with the gateway, so
// it cannot share its mistakes. What it cannot do it refuses with an error; it never pretends. Where WeChat's own
// behaviour is not known, the comment beside the code says what was assumed.
//
// It keeps its state in memory, or with Options.StateFile also on disk: a crash loses less than a second.
// A state file that cannot be read stops New; one that cannot be written is logged, and the fake goes on.
//
// It is a tool for tests and demonstrations: whoever reaches its address plays any user. Listen on the loopback. Pages
// of other origins in the tester's browser are refused; see sameOrigin.
//
// # Control calls
//
// Everything that a person does on the phone page can be done by a call too. JSON in, JSON out; an error is
// {"error": "…"} with a 4xx status. A user is named by key, openid or name. GET /_fake/ serves this table.
//
//	GET  /_fake/            this table
//	GET  /_fake/users       everybody, with unread counts
//	POST /_fake/users       {key, name, openid, remark, following}: add a person
//	GET  /_fake/phone       ?user= &after=<seq> &wait=20s: what a phone shows, a Phone; with after and wait, once it differs
//	POST /_fake/follow      {user}: follow the account
//	POST /_fake/unfollow    {user}: unfollow it; the chat disappears
//	POST /_fake/scan        multipart user, image: a picture of a QR code, really decoded; or {user, text}. A Scan
//	POST /_fake/open        {user, url}, {user, message} for a card, {user} to load the open page again. A Page
//	POST /_fake/close       {user}: close the open page
//	POST /_fake/press       {user, image: n} of the open page, {user, message: id} in the chat: scan that picture. A Scan
//	POST /_fake/submit      {user, form: n, fields: {name: "value" or ["…"]}, button: words or name}. A Page
//	POST /_fake/text        {user, text}: write to the account
//	POST /_fake/voice       multipart user, audio, audio16k, seconds: speak to the account
//	POST /_fake/photo       multipart user, image: send a photo
//	POST /_fake/tap         {user, option: id or words, message: id}, {user, menu: key or name}, {user, message: id} of a card
//	POST /_fake/read        {user}: look at the chat: nothing is unread
//	GET  /_fake/clock       the time in this WeChat
//	POST /_fake/clock       {advance: "49h"}: let time pass
//	GET  /_fake/fault       the faults that wait
//	POST /_fake/fault       a Fault, or {clear: true}
//	POST /_fake/killtokens  make all access tokens invalid (40001)
//	POST /_fake/verify      check the callback URL with a signed GET, as the console does
//	GET  /_fake/idle        ?wait=20s: once no callback and no receipt is on its way
//	GET  /_fake/transcript  ?after=<seq> &wait=20s: all traffic both ways, secrets masked: []Exchange
//	GET  /_fake/quota       calls of today by API
//	POST /_fake/reset       start over with the users and templates of the start; the clock stays
//	GET  /_fake/events      server-sent events: one for each change anywhere
//
// Calls that act on a phone and name no other answer give the Phone as it is then. The gateway hears of it a moment later.
//
// # Phone page
//
// GET /_fake/ui shows the phones. Another page of the same origin shows them too: it loads /_fake/phone.js and
// /_fake/phone.css and has a <div data-fake-phone>. Attributes of the div: data-labels, the URL of a JSON list
// [{"name": …, "image": …}] of pictures to scan and to send; data-voices, the same with "audio"; data-lang="en"; data-user,
// the key of who is shown first. For browser tests its elements carry data-test:
//
//	phone                   the whole; it has data-user, and data-ready once the first answer came
//	person-<key>            switch to a person        unread-<key>            how many messages wait
//	title, time             the header                empty                   shown instead of a chat: not a follower
//	follow, unfollow        buttons                   chat                    the messages
//	message-<id>            one message; data-kind is its Kind                card-open-<id>   open a card's page
//	option-<id>-<option>    an option of a menu       picture-<id>            a picture in the chat
//	input, send             write                     voice                   speak: opens the sheet of recordings
//	plus                    more: opens the panel     panel, photo, scan      the panel and its buttons
//	sheet                   choose a picture or sound label-<n>, recording-<n>  the n-th of the lists, from 0
//	file                    from this computer        cancel                  close the sheet
//	menu-<n>, menu-<n>-<m>  the menu bar              webview                 the open page: its frame, of our origin; its
//	                                                  <html> has data-fake-ready once it can be clicked
//	page-title, page-close, page-reload               the bar above the page
//	press                   识别图中的二维码, after a long press (or click, or Enter) on a picture
//	toast                   what just happened, or went wrong
package fakewechat
