package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// SendTimeout is how long a service may take for one message.
const SendTimeout = 30 * time.Second

// Service is one place that messages go to. Its methods may be called from any
// goroutine.
type Service struct {
	name   string
	url    URL
	sender types.Service // nil: not made yet; who has busy may make it
	busy   chan struct{} // holds one while a message is on its way
}

// Services makes the services of a list of URLs. Its error says which of them is
// wrong by its place, and nothing of what stands in it.
func Services(urls []URL) ([]*Service, error) {
	var list []*Service
	seen := map[string]int{}
	for i, u := range urls {
		s, err := newService(u)
		if err != nil {
			return nil, fmt.Errorf("URL %d: %w", i+1, err)
		}
		seen[s.name]++
		if n := seen[s.name]; n > 1 {
			s.name = fmt.Sprintf("%s#%d", s.name, n)
		}
		list = append(list, s)
	}
	return list, nil
}

// Check says what is wrong with the URL of a service; nil if nothing can be seen.
func Check(u URL) error {
	_, err := newService(u)
	return err
}

func newService(u URL) (*Service, error) {
	name := u.scheme()
	switch name {
	case "":
		return nil, errors.New("it is no URL of a service, such as slack://… or smtp://…")
	case "logger": // it goes nowhere
		return nil, errors.New("logger tells nobody: alerts are in the log anyway")
	case "http", "https":
		return nil, fmt.Errorf("%s is no service: a webhook is generic+%s://…", name, name)
	}
	s := &Service{name: name, url: u, busy: make(chan struct{}, 1)}
	if logsIn[name] {
		if _, err := url.Parse(u.text()); err != nil {
			return nil, fmt.Errorf("a URL that the service %s cannot read", name)
		}
		return s, nil
	}
	if err := s.make(); err != nil {
		if errors.Is(err, router.ErrUnknownService) {
			return nil, errors.New("there is no service of this name; shoutrrr's page lists them")
		}
		return nil, fmt.Errorf("a URL that the service %s cannot read: %s", name, u.redact(err.Error()))
	}
	return s, nil
}

// logsIn are services that call their server as soon as they are made. That waits
// for the first message: to load a configuration calls nobody.
var logsIn = map[string]bool{"matrix": true}

func (s *Service) make() error {
	r := router.ServiceRouter{}
	sender, err := r.Locate(s.url.text())
	if err == nil {
		s.sender = sender
	}
	return err
}

// Name is what the service is called in the ledger and in messages: "slack", or
// "slack#2" for the second one.
func (s *Service) Name() string { return s.name }

// untitled are services without a title: the message holds all there is to say.
var untitled = map[string]bool{"googlechat": true, "hangouts": true, "rocketchat": true, "signal": true, "wecom": true, "pagerduty": true, "notifiarr": true}

// Send sends one message. It returns when the service took it, refused it, or did
// not answer in SendTimeout; then it may still arrive. shoutrrr cannot be
// interrupted: what it goes on with keeps the service busy, so that there is never
// more than one of it.
func (s *Service) Send(ctx context.Context, title, message string) error {
	ctx, cancel := context.WithTimeout(ctx, SendTimeout)
	defer cancel()
	select {
	case s.busy <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s still has the message before", s.name)
	}
	params := types.Params{}
	if !untitled[s.url.scheme()] {
		params.SetTitle(title)
	}
	done := make(chan error, 1)
	go func() {
		var err error
		if s.sender == nil {
			err = s.make()
		}
		if err == nil {
			err = s.sender.Send(message, &params)
		}
		<-s.busy
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s: %s", s.name, s.url.redact(err.Error()))
		}
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("%s: no answer in %s", s.name, SendTimeout)
		}
		return context.Cause(ctx)
	}
}
