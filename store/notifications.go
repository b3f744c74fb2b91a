package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// NewNotification is a message to one service, as SetAlerts stores it.
type NewNotification struct{ Service, Kind, Text string }

// States of a notification.
const (
	NotificationWaiting = "waiting"
	NotificationSent    = "sent"
	NotificationGivenUp = "given up"
)

// Notification is a message and what became of it.
type Notification struct {
	ID         int64
	Service    string
	Schedule   string
	Kind       string
	Text       string
	CreatedAt  time.Time
	NotBefore  time.Time
	Attempts   int
	Error      string // what the last try came to; "" if none failed
	State      string
	FinishedAt *time.Time
}

const insertNotification = `
INSERT INTO notifications (service, schedule, kind, text, created_at, not_before, attempts, error, state)
VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, '', 'waiting')`

const notificationColumns = `notification_id, service, schedule, kind, text, created_at, not_before, attempts, error, state, finished_at`

const waitingNotifications = `SELECT ` + notificationColumns + ` FROM notifications WHERE state = 'waiting' ORDER BY notification_id`

// WaitingNotifications returns what is still to be told, the oldest first.
func (r *Reader) WaitingNotifications(ctx context.Context) ([]Notification, error) {
	return queryNotifications(ctx, r.ro, waitingNotifications)
}

const lastNotifications = `SELECT ` + notificationColumns + ` FROM notifications ORDER BY notification_id DESC LIMIT ?`

// Notifications returns the newest messages first, whatever became of them.
func (r *Reader) Notifications(ctx context.Context, limit int) ([]Notification, error) {
	return queryNotifications(ctx, r.ro, lastNotifications, limit)
}

func queryNotifications(ctx context.Context, db *sql.DB, query string, args ...any) ([]Notification, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Notification
	for rows.Next() {
		var n Notification
		var created, notBefore int64
		var finished sql.NullInt64
		if err := rows.Scan(&n.ID, &n.Service, &n.Schedule, &n.Kind, &n.Text, &created, &notBefore, &n.Attempts, &n.Error, &n.State, &finished); err != nil {
			return nil, err
		}
		n.CreatedAt, n.NotBefore, n.FinishedAt = fromMS(created), fromMS(notBefore), timeOrNil(finished)
		list = append(list, n)
	}
	return list, rows.Err()
}

// keepNotifications is how long a message stays that was sent or given up.
const keepNotifications = 30 * 24 * time.Hour

const endNotification = `
UPDATE notifications SET state = ?2, error = ?3, finished_at = ?4, attempts = attempts + ?5 WHERE notification_id = ?1 AND state = 'waiting'`

const removeNotifications = `DELETE FROM notifications WHERE finished_at < ?`

// NotificationsSent records that messages went out, as one.
func (l *Ledger) NotificationsSent(ctx context.Context, list []Notification) error {
	return l.endNotifications(ctx, list, NotificationSent, "", 1)
}

// GiveUpNotifications records that messages are not tried again, and why. tried
// says that they were just now.
func (l *Ledger) GiveUpNotifications(ctx context.Context, list []Notification, why string, tried bool) error {
	tries := 0
	if tried {
		tries = 1
	}
	return l.endNotifications(ctx, list, NotificationGivenUp, why, tries)
}

func (l *Ledger) endNotifications(ctx context.Context, list []Notification, state, why string, tries int) error {
	now := time.Now()
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, n := range list {
			if err := mustChange(tx.ExecContext(ctx, endNotification, n.ID, state, why, ms(now), tries)); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, removeNotifications, ms(now.Add(-keepNotifications)))
		return err
	})
	if err != nil {
		return fmt.Errorf("notifications: %w", err)
	}
	return nil
}

const delayNotification = `
UPDATE notifications SET not_before = ?2, error = ?3, attempts = attempts + 1 WHERE notification_id = ?1 AND state = 'waiting'`

// DelayNotifications records a try that failed, and when the next one comes.
func (l *Ledger) DelayNotifications(ctx context.Context, list []Notification, until time.Time, why string) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		for _, n := range list {
			if err := mustChange(tx.ExecContext(ctx, delayNotification, n.ID, ms(until), why)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("notifications: %w", err)
	}
	return nil
}
