package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// store keeps volumes and snapshots as folders, apart from each other: a snapshot outlives its
// volume, as one in a backup target does. Each folder holds "data" and "about.json". A folder is
// made under another name and renamed when it is complete, and is renamed away before it is
// removed: after a crash at any point there are whole ones and leftovers, and the start removes
// the leftovers.
type store struct {
	root string
	// One change at a time: a retry of a call whose first try still copies must wait for it.
	change sync.Mutex
}

// about says what a folder is. Source is the volume of a snapshot, or the snapshot of a volume.
type about struct {
	Bytes  int64     `json:"bytes"`
	Source string    `json:"source,omitempty"`
	Made   time.Time `json:"made"`
}

const (
	volumes   = "volumes"
	snapshots = "snapshots"
	partial   = "partial"
)

var (
	errAbsent = errors.New("there is none of this name")
	errName   = errors.New("a name is letters, digits, dots and hyphens")
	names     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,200}$`)
)

func openStore(root string) (*store, error) {
	if err := os.RemoveAll(filepath.Join(root, partial)); err != nil {
		return nil, err
	}
	for _, name := range []string{volumes, snapshots, partial} {
		if err := os.MkdirAll(filepath.Join(root, name), 0o700); err != nil {
			return nil, err
		}
	}
	return &store{root: root}, nil
}

func (s *store) usable() error {
	probe, err := os.CreateTemp(filepath.Join(s.root, partial), "probe-")
	if err != nil {
		return err
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// data is the folder that a workload sees.
func (s *store) data(kind, name string) string {
	return filepath.Join(s.root, kind, name, "data")
}

func (s *store) find(kind, name string) (about, error) {
	var found about
	if !names.MatchString(name) {
		return found, errName
	}
	text, err := os.ReadFile(filepath.Join(s.root, kind, name, "about.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return found, errAbsent
	}
	if err != nil {
		return found, err
	}
	return found, json.Unmarshal(text, &found)
}

// make makes a folder, with a copy of the folder `from` where one is given. One that is there
// already is left as it is, and what it says about itself is returned.
func (s *store) make(kind, name, from string, wanted about) (about, error) {
	s.change.Lock()
	defer s.change.Unlock()
	found, err := s.find(kind, name)
	if !errors.Is(err, errAbsent) {
		return found, err
	}
	work, err := os.MkdirTemp(filepath.Join(s.root, partial), "make-")
	if err != nil {
		return wanted, err
	}
	defer os.RemoveAll(work)
	if err := fill(work, from, wanted); err != nil {
		return wanted, err
	}
	return wanted, os.Rename(work, filepath.Join(s.root, kind, name))
}

func fill(work, from string, wanted about) error {
	data := filepath.Join(work, "data")
	if err := os.Mkdir(data, 0o777); err != nil {
		return err
	}
	// The kubelet does not know which user a workload runs as, and umask took rights away.
	if err := os.Chmod(data, 0o777); err != nil {
		return err
	}
	if from != "" {
		said, err := exec.Command("cp", "--archive", "--sparse=always", from+"/.", data).CombinedOutput()
		if err != nil {
			return fmt.Errorf("copying %s: %w: %s", from, err, said)
		}
	}
	text, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "about.json"), text, 0o600); err != nil {
		return err
	}
	if said, err := exec.Command("sync", "--file-system", work).CombinedOutput(); err != nil {
		return fmt.Errorf("sync: %w: %s", err, said)
	}
	return nil
}

// remove takes a folder away; one that is not there is removed already.
func (s *store) remove(kind, name string) error {
	s.change.Lock()
	defer s.change.Unlock()
	if !names.MatchString(name) {
		return nil
	}
	grave, err := os.MkdirTemp(filepath.Join(s.root, partial), "remove-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(grave)
	err = os.Rename(filepath.Join(s.root, kind, name), filepath.Join(grave, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// list returns the names of all folders of a kind, in order.
func (s *store) list(kind string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, kind))
	if err != nil {
		return nil, err
	}
	found := make([]string, 0, len(entries))
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found, nil
}
