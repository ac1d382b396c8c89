{{- /*
Command line flags from values: {"values": map, "flags": [[flag, key], …]} gives a JSON list.
A key that is absent, empty, zero or false gives no flag, as in the official chart.
*/ -}}
{{- define "standin.flags" -}}
{{- $found := list -}}
{{- $values := .values -}}
{{- range $flag := .flags -}}
  {{- $value := get $values (index $flag 1) -}}
  {{- if $value -}}
    {{- $text := ternary $value (toJson $value) (kindIs "string" $value) -}}
    {{- $found = append $found (printf "--%s=%s" (index $flag 0) $text) -}}
  {{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- /* Parts of a pod that server and node agent have alike: {"root": ., "pod": values of the pod}. */ -}}
{{- define "standin.placement" -}}
{{- range $key := list "tolerations" "affinity" "nodeSelector" "priorityClassName" }}
{{- with get $.pod $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- with .pod.podSecurityContext }}
securityContext: {{ toJson . }}
{{- end }}
{{- with .root.Values.image.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "standin.container" -}}
image: {{ include "standin.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [/velero]
{{- with .pod.resources }}
resources: {{ toJson . }}
{{- end }}
{{- with .pod.containerSecurityContext }}
securityContext: {{ toJson . }}
{{- end }}
{{- if .root.Values.metrics.enabled }}
ports:
  - name: http-monitoring
    containerPort: 8085
{{- end }}
{{- end -}}

{{- /* The environment that both processes read. */ -}}
{{- define "standin.environment" -}}
- name: VELERO_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: VELERO_SCRATCH_DIR
  value: /scratch
{{- if .Values.credentials.useSecret }}
- name: AWS_SHARED_CREDENTIALS_FILE
  value: /credentials/cloud
{{- end }}
{{- range .Values.configuration.extraEnvVars }}
- {{ toJson . }}
{{- end }}
{{- end -}}
