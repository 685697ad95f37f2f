package webhooks

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// ids makes names that sort by time, and in their order within a millisecond.
type ids struct{ count atomic.Uint32 }

// next is the prefix, the milliseconds, a number and a random part.
func (i *ids) next(prefix string, at time.Time) string {
	return fmt.Sprintf("%s_%011x%06x%s", prefix, max(0, at.UnixMilli()), i.count.Add(1)&0xffffff, strings.ToLower(rand.Text()[:8]))
}
