package fakewechat

import "unicode/utf8"

// userAnswer is what user/info tells of a follower. Nickname, sex, place and portrait are empty since 2021-12-27
// (https://developers.weixin.qq.com/community/develop/doc/00028edbe3c58081e7cc834705b801).
type userAnswer struct {
	Subscribe int    `json:"subscribe"`
	OpenID    string `json:"openid"`
	Nickname  string `json:"nickname"`
	Sex       int    `json:"sex"`
	Language  string `json:"language"`
	City      string `json:"city"`
	Province  string `json:"province"`
	Country   string `json:"country"`
	Portrait  string `json:"headimgurl"`
	Since     int64  `json:"subscribe_time"`
	Remark    string `json:"remark"`
	Group     int    `json:"groupid"`
	Tags      []int  `json:"tagid_list"`
	From      string `json:"subscribe_scene"`
	QRScene   int    `json:"qr_scene"`
	QRText    string `json:"qr_scene_str"`
}

func (s *Server) userInfo(c *call) (any, error) {
	p, err := s.receiver(c.query.Get("openid"))
	if wrong, is := err.(*apiError); is && wrong.Code == 43004 {
		return map[string]any{"subscribe": 0, "openid": c.query.Get("openid")}, nil
	}
	if err != nil {
		return nil, err
	}
	from := "ADD_SCENE_SEARCH"
	if p.Scene != "" {
		from = "ADD_SCENE_QR_CODE"
	}
	return userAnswer{
		Subscribe: 1, OpenID: p.OpenID, Language: "zh_CN", Since: p.Since.Unix(),
		Remark: p.Remark, Tags: []int{}, From: from, QRText: p.Scene,
	}, nil
}

// menu is the bar of buttons below the chat.
type menu struct {
	Buttons []MenuButton `json:"button"`
}

// MenuButton is one button of the menu bar, or with Sub a group of them.
type MenuButton struct {
	Type string       `json:"type,omitempty"` // click or view
	Name string       `json:"name"`
	Key  string       `json:"key,omitempty"`
	URL  string       `json:"url,omitempty"`
	Sub  []MenuButton `json:"sub_button,omitempty"`
}

func (s *Server) menuCreate(c *call) (any, error) {
	var m menu
	if err := c.decode(&m); err != nil {
		return nil, err
	}
	if err := checkButtons(m.Buttons, 3, 16); err != nil {
		return nil, err
	}
	s.state.Menu = &m
	for _, p := range s.state.People {
		s.touch(p)
	}
	return ok(), nil
}

// checkButtons: three in the bar, five in a group; names of 16 and 60 bytes
// (https://developers.weixin.qq.com/doc/offiaccount/Custom_Menus/Creating_Custom-Defined_Menu.html).
func checkButtons(buttons []MenuButton, most, nameBytes int) error {
	if len(buttons) == 0 || len(buttons) > most {
		return deny(40016)
	}
	for _, b := range buttons {
		if b.Name == "" || len(b.Name) > nameBytes || !utf8.ValidString(b.Name) {
			return deny(40018)
		}
		if len(b.Sub) > 0 {
			if err := checkButtons(b.Sub, 5, 60); err != nil {
				return err
			}
			continue
		}
		if err := denyIf(b.Type == "click" && b.Key == "" || b.Type == "view" && b.URL == "", 40053); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) menuGet(*call) (any, error) {
	if s.state.Menu == nil {
		return nil, deny(46003)
	}
	return map[string]any{"menu": s.state.Menu}, nil
}
