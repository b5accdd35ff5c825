package main

import (
	"context"
	"fmt"
	"os"

	"jiaxin/bridge/store/bolt"
	"jiaxin/cmd/internal/app"
)

type serveCmd struct {
	Config string `short:"c" default:"jiaxin.yaml" type:"path" help:"The configuration. 配置文件。"`
}

// Run serves until it is interrupted.
func (c *serveCmd) Run(ctx context.Context) error {
	cfg, err := app.LoadConfig(c.Config)
	if err != nil {
		return err
	}
	a, err := app.New(cfg, app.Options{
		Logger: cfg.NewLogger(os.Stderr), CheckStore: checkStoreArgs(),
		Progress: func(step string) { fmt.Println("  …", step) },
	})
	if err != nil {
		return err
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	a.GreetWeChat()
	fmt.Printf("家信已启动 · Jiaxin is running\n  http %s\n  mqtt %s\n", a.HTTPAddr(), a.MQTTAddr())
	return until(ctx, a)
}

// checkStoreArgs is this program's own command that looks for damage in a store.
func checkStoreArgs() []string {
	self, err := os.Executable()
	if err != nil {
		return nil // then the store is opened unchecked, which is what one did without the check
	}
	return []string{self, "check-store"}
}

type checkStoreCmd struct {
	Path string `arg:"" type:"path"`
}

// Run exits with the code that the gateway expects of the check.
func (c *checkStoreCmd) Run() error {
	err := bolt.Check(c.Path)
	if err == nil {
		return nil
	}
	_, _ = fmt.Fprintln(os.Stderr, err)
	return exitError(bolt.ExitCode(err))
}
