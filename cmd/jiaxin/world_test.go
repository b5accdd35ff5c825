package main

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"jiaxin/cmd/internal/app"
	"jiaxin/devices"
)

// patience is how long something that should happen is waited for. Nothing is ever waited out: a wait ends with what
// it waits for, so only a test that fails is slow.
const patience = 30 * time.Second

// world is what one story plays in: a gateway in a process of its own, with WeChat and the home around it. They are
// reached over HTTP and MQTT only, as people and appliances reach them.
type world struct {
	dir     string
	gateway *process // nil: not running
	outside *outside // of `serve`: WeChat and the home are ours; nil in the demo, which brings its own
	mqtt    *player  // the appliance that the story plays itself; nil: none

	wechat string // where WeChat's /_fake/ is
	home   string // where the home's /state and /act are
	admin  string // where the gateway's /metrics, /healthz and /readyz are
	broker string
	read   map[string]int64 // how far each person's chat has been looked at
	logs   string           // what gateways of this story said on stderr
	shown  string           // and what /metrics said
	hidden []string         // what neither may ever contain
}

type worldKey struct{}

func setUp(e *testscript.Env) error {
	w := &world{dir: e.WorkDir, read: map[string]int64{}}
	e.Values[worldKey{}] = w
	t := e.T()
	e.Defer(func() {
		if err := w.close(); err != nil {
			t.Log(err.Error())
			t.FailNow()
		}
	})
	return nil
}

// close ends the story: the gateway must end well, and must have kept its secrets.
func (w *world) close() error {
	var errs []error
	if w.mqtt != nil {
		w.mqtt.leave()
	}
	if w.gateway != nil {
		errs = append(errs, w.end(os.Interrupt))
	}
	errs = append(errs, w.checkSecrets())
	if w.outside != nil {
		errs = append(errs, w.outside.close())
	}
	return errors.Join(errs...)
}

// word is a command of the stories. What it prints is the script's stdout. neg is a "!" before it.
type word func(w *world, ts *testscript.TestScript, neg bool, args []string) error

// words are the commands of the stories:
//
//	gateway demo [flag…]            start `jiaxin demo`, which brings WeChat and the home with it
//	gateway serve [yaml line…]      start `jiaxin serve` against a WeChat and a home in the test process
//	gateway stop | term | kill9     end it with SIGINT, SIGTERM, SIGKILL; all but the last must exit 0
//	config [yaml line…]             write jiaxin.yaml as `gateway serve` would, and start nothing
//	person KEY NAME                 one more user of WeChat
//	scan WHO DEVICE                 scan the picture of its label, really decoded; prints the page that opens
//	scan WHO = TEXT                 scan a code that says TEXT
//	press WHO                       press the code on the page for long, and let WeChat recognise it
//	bind WHO DEVICE                 scan, press, and hear that it is bound
//	say | tap WHO WORDS             write; tap the option of a menu that has these words
//	photo | voice WHO               send one
//	follow | unfollow WHO
//	expect WHO KIND WORD…           the next message of this kind with all these words; [!] has none now
//	count WHO KIND WORDS N          there are N such messages on the whole phone
//	device DEVICE scene NAME | set K=V… | press | plug | unplug | off | deaf | hear
//	state DEVICE K=V…               wait until the appliance is in this state; also online=true, waiting=0
//	advance DURATION                let time pass (in the demo)
//	fault K=V… | fault clear        let WeChat misbehave
//	lose API                        WeChat does what it is asked and its answers get lost; [!] they come again
//	calls API N [WORDS]             wait until WeChat has been called so often; also calls callback N WORDS
//	watch                           a page that follows what happens, and stays open
//	idle                            WeChat has nothing under way
//	get PATH STATUS [HOST]          ask the gateway's HTTP address, maybe by another host name; prints the answer
//	admin PATH STATUS               ask the address of its metrics and health
//	callback forged | broken | plain | replayed STATUS      call the gateway as WeChat would not
//	mqtt …                          play an appliance; see mqttWord
//	documents FILE WHO | documents FILE prefix=…    write what a stopped gateway keeps of WHO's home
//	credentials DEVICE              its line of devices.csv as $CLIENT, $USERNAME, $PASSWORD, $LABEL
//	answer                          the reply to the command that was just printed, as $ANSWER
//	taken                           hold a port: $TAKEN
func words() iter.Seq2[string, func(*testscript.TestScript, bool, []string)] {
	all := map[string]word{
		"gateway": gatewayWord, "config": configWord,
		"person": personWord, "scan": scanWord, "press": pressWord, "bind": bindWord, "say": sayWord, "tap": tapWord,
		"photo": photoWord, "voice": voiceWord, "follow": followWord, "unfollow": unfollowWord,
		"expect": expectWord, "count": countWord, "device": deviceWord, "state": stateWord, "advance": advanceWord,
		"fault": faultWord, "calls": callsWord, "idle": idleWord, "get": getWord, "admin": adminWord, "callback": callbackWord,
		"mqtt": mqttWord, "documents": documentsWord, "credentials": credentialsWord, "taken": takenWord, "answer": answerWord, "lose": loseWord, "watch": watchWord,
	}
	return func(yield func(string, func(*testscript.TestScript, bool, []string)) bool) {
		for name, do := range all {
			run := func(ts *testscript.TestScript, neg bool, args []string) {
				w := ts.Value(worldKey{}).(*world)
				err := do(w, ts, neg, args)
				if err != nil && w.gateway != nil {
					err = fmt.Errorf("%w\nthe gateway says:\n%s", err, w.gateway.stderr.String())
				}
				ts.Check(err)
			}
			if !yield(name, run) {
				return
			}
		}
	}
}

// want checks the number of a word's arguments.
func want(args []string, least int, usage string) error {
	if len(args) < least {
		return fmt.Errorf("usage: %s", usage)
	}
	return nil
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// registered reads the story's devices.csv.
func (w *world) registered() ([]devices.Registration, error) {
	return app.ReadDevices(w.path("data/devices.csv"))
}

func (w *world) registration(device string) (devices.Registration, error) {
	all, err := w.registered()
	if err != nil {
		return devices.Registration{}, err
	}
	for _, r := range all {
		if r.Address.Device == device {
			return r, nil
		}
	}
	return devices.Registration{}, fmt.Errorf("devices.csv has no %q", device)
}

func credentialsWord(w *world, ts *testscript.TestScript, _ bool, args []string) error {
	if err := want(args, 1, "credentials DEVICE"); err != nil {
		return err
	}
	r, err := w.registration(args[0])
	ts.Setenv("CLIENT", r.Address.ClientID())
	ts.Setenv("USERNAME", r.Username)
	ts.Setenv("PASSWORD", r.Password)
	ts.Setenv("LABEL", r.LabelURL)
	ts.Setenv("TOPIC", strings.TrimSuffix(r.Address.Topic(devices.UpStatus), devices.UpStatus))
	host, port, _ := strings.Cut(w.broker, ":")
	ts.Setenv("MQTT_HOST", host)
	ts.Setenv("MQTT_PORT", port)
	return err
}
