package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"jiaxin/cmd/internal/app"
)

// stopTime bounds a clean shutdown.
const stopTime = 10 * time.Second

type demoCmd struct {
	HTTP   string        `default:"127.0.0.1:8080" help:"Address of the page. 页面地址。"`
	MQTT   string        `default:"127.0.0.1:1883" help:"Address where appliances connect. 家电连接的地址。"`
	Data   string        `default:"jiaxin-demo" type:"path" help:"Folder that keeps bindings, chats and devices.csv. 存放数据的文件夹。"`
	Models []string      `type:"path" help:"Folders with models/ and messages/ of your own. 自己的型号。"`
	NoHome bool          `help:"Leave the simulated appliances out; any MQTT client can play one. 不启动模拟家电。"`
	Hold   time.Duration `default:"5s" help:"The longest that an event's 'for' lasts; 0 keeps the models' own times. “持续多久”最多等多久。"`
	Log    slog.Level    `default:"warn" help:"debug, info, warn or error."`
}

// Run shows the demo until it is interrupted.
func (c *demoCmd) Run(ctx context.Context) error {
	d, err := app.StartDemo(ctx, app.DemoOptions{
		HTTP: c.HTTP, MQTT: c.MQTT, Data: c.Data, Models: c.Models, NoHome: c.NoHome, Hold: c.Hold,
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.Log})),
		Progress: func(step string) { fmt.Println("  …", step) }, CheckStore: checkStoreArgs(),
	})
	if err != nil {
		return err
	}
	fmt.Printf("\n家信已启动,请打开 · Jiaxin is running, open:\n\n    %s\n\n家电 MQTT · appliances: %s\n账号 · credentials: %s/devices.csv\n按 Ctrl-C 结束 · Ctrl-C to stop\n", d.URL(), d.MQTTAddr(), c.Data)
	return until(ctx, d)
}

// running is a gateway that can be stopped.
type running interface {
	Failed() <-chan error
	Stop(context.Context) error
}

// until waits for the end: asked for, which is no error, or forced by a failure.
func until(ctx context.Context, r running) error {
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-r.Failed():
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := r.Stop(ctx); err != nil && failure == nil {
		return fmt.Errorf("stop: %w", err)
	}
	return failure
}
