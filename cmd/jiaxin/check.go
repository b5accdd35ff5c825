package main

import (
	"fmt"
	"os"

	"jiaxin/cmd/internal/app"
)

type checkCmd struct {
	Config  string   `short:"c" type:"path" help:"Check this configuration, and the models that it names, too."`
	Preview bool     `help:"Print every message as its card and its words. 预览所有消息。"`
	Consts  bool     `help:"Print the fixed words that WeChat must approve with each template. 列出要报备的固定词。"`
	Models  []string `arg:"" optional:"" type:"path" help:"Folders with models/ and messages/ of your own."`
}

// Run checks everything that would otherwise go wrong at night, and names every mistake with its place.
func (c *checkCmd) Run() error {
	folders := c.Models
	if c.Config != "" {
		cfg, err := app.LoadConfig(c.Config)
		if err != nil {
			return err
		}
		folders = append(folders, cfg.Models...)
		if err := app.CheckConfig(cfg, folders); err != nil {
			return err
		}
	}
	report, err := app.Check(folders)
	if err != nil {
		return err
	}
	fmt.Println(report)
	if c.Consts {
		if err := app.Consts(os.Stdout, folders); err != nil {
			return err
		}
	}
	if c.Preview {
		return app.Preview(os.Stdout, folders)
	}
	return nil
}
