// Package client asks data servers: it signs a query, sends it to all of them, adds up what they send, and computes statistics.
package client
