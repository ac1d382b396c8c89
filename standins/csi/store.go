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
	"slices"
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
// FromBackup is the backup that a volume is restored from, and Awaits the name under which its
// content will be handed over in "restored"; until then such a volume has no "data".
type about struct {
	Bytes      int64     `json:"bytes"`
	Source     string    `json:"source,omitempty"`
	FromBackup string    `json:"fromBackup,omitempty"`
	Awaits     string    `json:"awaits,omitempty"`
	Made       time.Time `json:"made"`
}

const (
	volumes   = "volumes"
	snapshots = "snapshots"
	partial   = "partial"
	// Where the stand-in for Longhorn's manager hands over what it has restored, each folder
	// renamed to its name when it is whole, and beside it "<name>.fault" when that failed.
	restored = "restored"
	fault    = ".fault"
)

var (
	errAbsent = errors.New("there is none of this name")
	errName   = errors.New("a name is letters, digits, dots and hyphens")
	errAwaits = errors.New("volume requires restoration")
	errFault  = errors.New("volume is faulted")
	names     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,200}$`)
)

func openStore(root string) (*store, error) {
	if err := os.RemoveAll(filepath.Join(root, partial)); err != nil {
		return nil, err
	}
	for _, name := range []string{volumes, snapshots, partial, restored} {
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
	if wanted.Awaits == "" {
		if err := content(filepath.Join(work, "data"), from); err != nil {
			return err
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

// content makes the folder that a workload sees, with a copy of the folder `from` where one is given.
func content(data, from string) error {
	if err := os.Mkdir(data, 0o777); err != nil {
		return err
	}
	// The kubelet does not know which user a workload runs as, and umask took rights away.
	if err := os.Chmod(data, 0o777); err != nil {
		return err
	}
	if from == "" {
		return nil
	}
	said, err := exec.Command("cp", "--archive", "--sparse=always", from+"/.", data).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copying %s: %w: %s", from, err, said)
	}
	return nil
}

// settle takes over what was restored for a volume that awaits it. errAwaits: it is not there yet;
// errFault: it will not come. A volume that awaits nothing, or has it already, is settled. One
// rename is all there is to it, so no lock is held, and a kill leaves it here or there.
func (s *store) settle(name string, found about) error {
	if found.Awaits == "" {
		return nil
	}
	data := s.data(volumes, name)
	if _, err := os.Lstat(data); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	given := filepath.Join(s.root, restored, found.Awaits)
	err := os.Rename(given, data)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Another call may have been faster.
	if _, err := os.Lstat(data); err == nil {
		return nil
	}
	if _, err := os.Lstat(given + fault); err == nil {
		return errFault
	}
	return errAwaits
}

// settleAll settles what can be; what cannot is tried again with the next call.
func (s *store) settleAll() error {
	given, err := s.list(restored)
	// What its sender has not finished is none of ours.
	given = slices.DeleteFunc(given, func(name string) bool { return name == partial })
	if err != nil || len(given) == 0 {
		return err
	}
	there, err := s.list(volumes)
	if err != nil {
		return err
	}
	for _, name := range there {
		found, err := s.find(volumes, name)
		if err == nil {
			err = s.settle(name, found)
		}
		if err != nil && !errors.Is(err, errAbsent) && !errors.Is(err, errAwaits) && !errors.Is(err, errFault) {
			return fmt.Errorf("volume %s: %w", name, err)
		}
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
	found, missing := s.find(kind, name)
	err = os.Rename(filepath.Join(s.root, kind, name), filepath.Join(grave, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || missing != nil || found.Awaits == "" {
		return err
	}
	// What was handed over and not taken goes as well. What comes later, its sender removes.
	for _, end := range []string{"", fault} {
		given := filepath.Join(s.root, restored, found.Awaits+end)
		if err := os.Rename(given, filepath.Join(grave, "given"+end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
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
