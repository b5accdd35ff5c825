package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jiaxin/bridge/wechat"
	"jiaxin/templates"
)

// placeholder is what deploy/jiaxin.example.yaml has in the place of an account's template ids.
const placeholder = "TEMPLATE_ID_OF_"

// checkForms sees that every form of the messages has a template of the account, so that no card is refused at night. It
// names everything that is wrong with its key in jiaxin.yaml and its cure.
func checkForms(words *templates.Set, account map[string]wechat.Form) error {
	var errs []error
	for _, f := range words.Forms() {
		errs = append(errs, checkForm(f, account))
	}
	return errors.Join(errs...)
}

func checkForm(f templates.Form, account map[string]wechat.Form) error {
	key := "wechat.templates." + f.Key
	ours, ok := account[f.Key]
	switch {
	case !ok:
		return fmt.Errorf("%s is missing: the account needs a template for the form %s (%s), whose fields `jiaxin check --consts` "+
			"prints; write its template_id as `%s: {id: …}`", key, f.Key, f.Title, f.Key)
	case strings.HasPrefix(ours.ID, placeholder):
		return fmt.Errorf("%s.id is still the example's %s: copy the template_id of the form %s (%s) from the account's 模板消息 page",
			key, ours.ID, f.Key, f.Title)
	}
	return checkMapping(f, key+".fields", ours.Fields)
}

// checkMapping sees that what is mapped are fields of the form.
func checkMapping(f templates.Form, key string, mapped map[string]string) error {
	var known []string
	for _, field := range f.Fields {
		known = append(known, field.Key)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(mapped)) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("%s.%s: the form %s has no field %s: map its own (%s) to the account's, ours before theirs",
				key, name, f.Key, name, strings.Join(known, ", ")))
		}
	}
	return errors.Join(errs...)
}
