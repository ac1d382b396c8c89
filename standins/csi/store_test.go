package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func opened(t *testing.T) *store {
	t.Helper()
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func made(t *testing.T, s *store, kind, name, from string, wanted about) about {
	t.Helper()
	found, err := s.make(kind, name, from, wanted)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestASnapshotKeepsWhatTheVolumeHeldAndOutlivesIt(t *testing.T) {
	s := opened(t)
	made(t, s, volumes, "pvc-1", "", about{Bytes: 5})
	file := filepath.Join(s.data(volumes, "pvc-1"), "file")
	if err := os.WriteFile(file, []byte("then"), 0o600); err != nil {
		t.Fatal(err)
	}
	made(t, s, snapshots, "snap-1", s.data(volumes, "pvc-1"), about{Source: "pvc-1"})
	if err := os.WriteFile(file, []byte("now"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.remove(volumes, "pvc-1"); err != nil {
		t.Fatal(err)
	}
	made(t, s, volumes, "pvc-2", s.data(snapshots, "snap-1"), about{Bytes: 5})
	text, err := os.ReadFile(filepath.Join(s.data(volumes, "pvc-2"), "file"))
	if err != nil || string(text) != "then" {
		t.Fatalf("%q, %v", text, err)
	}
}

func TestASecondCallChangesNothingAndSaysWhatIsThere(t *testing.T) {
	s := opened(t)
	made(t, s, volumes, "pvc-1", "", about{Bytes: 5})
	found := made(t, s, volumes, "pvc-1", "", about{Bytes: 9})
	if found.Bytes != 5 {
		t.Fatalf("%+v", found)
	}
}

func TestRemovingTwiceIsNoError(t *testing.T) {
	s := opened(t)
	made(t, s, volumes, "pvc-1", "", about{})
	for range 2 {
		if err := s.remove(volumes, "pvc-1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.find(volumes, "pvc-1"); !errors.Is(err, errAbsent) {
		t.Fatal(err)
	}
}

func TestANameThatLeadsElsewhereIsRefused(t *testing.T) {
	s := opened(t)
	outside := filepath.Join(filepath.Dir(s.root), "outside")
	if err := os.MkdirAll(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../../outside", "..", "", "a/b"} {
		if _, err := s.make(volumes, name, "", about{}); !errors.Is(err, errName) {
			t.Errorf("make %q: %v", name, err)
		}
		if err := s.remove(volumes, name); err != nil {
			t.Errorf("remove %q: %v", name, err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Fatal(err)
	}
}

func TestACopyThatFailsLeavesNothing(t *testing.T) {
	s := opened(t)
	if _, err := s.make(volumes, "pvc-1", filepath.Join(s.root, "absent"), about{}); err == nil {
		t.Fatal("no error")
	}
	if _, err := s.find(volumes, "pvc-1"); !errors.Is(err, errAbsent) {
		t.Fatal(err)
	}
	left, err := s.list(partial)
	if err != nil || len(left) != 0 {
		t.Fatalf("%v, %v", left, err)
	}
}

func TestTheStartRemovesWhatACrashLeft(t *testing.T) {
	s := opened(t)
	if err := os.MkdirAll(filepath.Join(s.root, partial, "make-1", "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(s.root); err != nil {
		t.Fatal(err)
	}
	left, err := s.list(partial)
	if err != nil || len(left) != 0 {
		t.Fatalf("%v, %v", left, err)
	}
}

const backupURL = "s3://bucket@region/prefix/?backup=backup-1&volume=pvc-source"

// awaiting makes a volume that is to be restored from a backup, as csi-provisioner asks for it.
func awaiting(t *testing.T, s *store, name string) about {
	t.Helper()
	request := &csi.CreateVolumeRequest{Name: name, Parameters: map[string]string{fromBackup: backupURL}}
	if _, err := (controller{store: s}).CreateVolume(context.Background(), request); err != nil {
		t.Fatal(err)
	}
	found, err := s.find(volumes, name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// handOver leaves restored content, as the stand-in for Longhorn's manager does.
func handOver(t *testing.T, s *store, wanted about, text string) {
	t.Helper()
	given := filepath.Join(s.root, restored, wanted.Awaits)
	if err := os.Mkdir(given, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(given, "file"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// publish is what the kubelet asks for; the target cannot be made, so nothing is ever mounted.
func publish(s *store, name string) error {
	request := &csi.NodePublishVolumeRequest{VolumeId: name, TargetPath: "/dev/null/none"}
	_, err := (node{store: s}).NodePublishVolume(context.Background(), request)
	return err
}

func refused(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(err.Error(), text) {
		t.Fatalf("%v, wanted %v with %q", err, code, text)
	}
}

func TestAVolumeOfABackupSaysSoAndIsNotReadyBeforeItsContentIsThere(t *testing.T) {
	s := opened(t)
	found := awaiting(t, s, "pvc-1")
	if found.FromBackup != backupURL || found.Awaits == "" {
		t.Fatalf("%+v", found)
	}
	if _, err := os.Lstat(s.data(volumes, "pvc-1")); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	refused(t, publish(s, "pvc-1"), codes.Aborted, "volume pvc-1 is not ready for workloads: volume requires restoration")
	again := awaiting(t, s, "pvc-1")
	if again.Awaits != found.Awaits {
		t.Fatalf("%+v, then %+v", found, again)
	}
}

func TestWhatIsHandedOverIsTheVolumesContent(t *testing.T) {
	s := opened(t)
	handOver(t, s, awaiting(t, s, "pvc-1"), "restored")
	// Past the refusal: what is left is that this target cannot be made.
	refused(t, publish(s, "pvc-1"), codes.Internal, "not a directory")
	text, err := os.ReadFile(filepath.Join(s.data(volumes, "pvc-1"), "file"))
	if err != nil || string(text) != "restored" {
		t.Fatalf("%q, %v", text, err)
	}
	about, err := os.Stat(s.data(volumes, "pvc-1"))
	if err != nil || about.Mode().Perm() != 0o750 {
		t.Fatalf("%v, %v", about.Mode(), err)
	}
	refused(t, publish(s, "pvc-1"), codes.Internal, "not a directory")
}

func TestContentIsTakenOverWithoutAMountAndByTheNextStart(t *testing.T) {
	s := opened(t)
	awaiting(t, s, "pvc-0")
	handOver(t, s, awaiting(t, s, "pvc-1"), "first")
	handOver(t, s, awaiting(t, s, "pvc-2"), "second")
	if err := os.Mkdir(filepath.Join(s.root, restored, partial), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := openStore(s.root)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.settleAll(); err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string]string{"pvc-1": "first", "pvc-2": "second"} {
		text, err := os.ReadFile(filepath.Join(s.data(volumes, name), "file"))
		if err != nil || string(text) != wanted {
			t.Fatalf("%s: %q, %v", name, text, err)
		}
	}
	refused(t, publish(s, "pvc-0"), codes.Aborted, "requires restoration")
	if left, err := s.list(restored); err != nil || !slices.Equal(left, []string{partial}) {
		t.Fatalf("%v, %v", left, err)
	}
}

func TestARestoreThatFailedIsTold(t *testing.T) {
	s := opened(t)
	found := awaiting(t, s, "pvc-1")
	if err := os.WriteFile(filepath.Join(s.root, restored, found.Awaits+fault), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, publish(s, "pvc-1"), codes.Aborted, "volume pvc-1 is not ready for workloads: volume is faulted")
	if err := s.settleAll(); err != nil {
		t.Fatal(err)
	}
}

func TestAVolumeWithoutItsContentIsNeitherCopiedNorSnapshotted(t *testing.T) {
	s := opened(t)
	found := awaiting(t, s, "pvc-1")
	c := controller{store: s}
	clone := &csi.CreateVolumeRequest{Name: "pvc-2", VolumeContentSource: &csi.VolumeContentSource{
		Type: &csi.VolumeContentSource_Volume{Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: "pvc-1"}},
	}}
	snapshot := &csi.CreateSnapshotRequest{Name: "snap-1", SourceVolumeId: "pvc-1"}
	_, err := c.CreateVolume(context.Background(), clone)
	refused(t, err, codes.Aborted, "requires restoration")
	_, err = c.CreateSnapshot(context.Background(), snapshot)
	refused(t, err, codes.Aborted, "requires restoration")
	handOver(t, s, found, "restored")
	if _, err := c.CreateSnapshot(context.Background(), snapshot); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(s.data(snapshots, "snap-1"), "file"))
	if err != nil || string(text) != "restored" {
		t.Fatalf("%q, %v", text, err)
	}
}

func TestADeletedVolumeTakesWhatWasMeantForItAlong(t *testing.T) {
	s := opened(t)
	found := awaiting(t, s, "pvc-1")
	handOver(t, s, found, "too late")
	if err := os.WriteFile(filepath.Join(s.root, restored, found.Awaits+fault), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.remove(volumes, "pvc-1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{volumes, restored, partial} {
		if left, err := s.list(kind); err != nil || len(left) != 0 {
			t.Fatalf("%s: %v, %v", kind, left, err)
		}
	}
}

func TestContentForADeletedVolumeIsNotTakenForAnotherOfItsName(t *testing.T) {
	s := opened(t)
	first := awaiting(t, s, "pvc-1")
	if err := s.remove(volumes, "pvc-1"); err != nil {
		t.Fatal(err)
	}
	handOver(t, s, first, "of the first")
	if second := awaiting(t, s, "pvc-1"); second.Awaits == first.Awaits {
		t.Fatalf("%+v", second)
	}
	refused(t, publish(s, "pvc-1"), codes.Aborted, "requires restoration")
}

func TestAClassWithoutABackupOrACopyMakesAnOrdinaryVolume(t *testing.T) {
	s := opened(t)
	c := controller{store: s}
	made(t, s, volumes, "pvc-source", "", about{})
	source := &csi.VolumeContentSource{
		Type: &csi.VolumeContentSource_Volume{Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: "pvc-source"}},
	}
	for name, request := range map[string]*csi.CreateVolumeRequest{
		"pvc-1": {Parameters: map[string]string{fromBackup: "", "fsType": "ext4"}},
		"pvc-2": {Parameters: map[string]string{fromBackup: backupURL}, VolumeContentSource: source},
	} {
		request.Name = name
		answer, err := c.CreateVolume(context.Background(), request)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(answer.Volume.VolumeContext, request.Parameters) {
			t.Fatalf("%v", answer.Volume.VolumeContext)
		}
		found, err := s.find(volumes, name)
		if err != nil || found.Awaits != "" || found.FromBackup != "" {
			t.Fatalf("%+v, %v", found, err)
		}
		refused(t, publish(s, name), codes.Internal, "not a directory")
	}
}

func TestAnotherBackupOfTheSameNameIsAConflictAndNoBackupIsAnError(t *testing.T) {
	s := opened(t)
	awaiting(t, s, "pvc-1")
	c := controller{store: s}
	for text, wanted := range map[string]struct {
		code codes.Code
		says string
	}{
		"s3://bucket@region/?backup=backup-2&volume=pvc-source": {codes.AlreadyExists, "another size or source"},
		"s3://bucket@region/?volume=pvc-source":                 {codes.Internal, "cannot get backup and volume name"},
		"s3://bucket@region/?backup=../x&volume=pvc-source":     {codes.Internal, "cannot get backup and volume name"},
		"%": {codes.Internal, "cannot get backup and volume name"},
	} {
		request := &csi.CreateVolumeRequest{Name: "pvc-1", Parameters: map[string]string{fromBackup: text}}
		_, err := c.CreateVolume(context.Background(), request)
		refused(t, err, wanted.code, wanted.says)
	}
}
