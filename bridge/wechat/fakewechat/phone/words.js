// The words and pictures of the phone page.

export const words = {
  zh: {
    people: '手机', notFollowing: '新的朋友', hint: '还没有关注「{name}」。扫一扫电器上的二维码，就会认识。', follow: '关注',
    unfollow: '不再关注', send: '发送', voice: '按这里说话', more: '更多', photo: '相册', scan: '扫一扫', input: '发消息',
    chooseScan: '扫一扫', choosePhoto: '选一张照片', chooseVoice: '说一段话', file: '从电脑里选', cancel: '取消',
    press: '识别图中的二维码', close: '关闭', reload: '刷新', details: '查看详情', scanning: '正在识别…', nothing: '没有可选的，请从电脑里选一个文件。',
    expired: '二维码已过期', says: '二维码的内容：', unread: '条未读', lost: '连接断了，正在重连…', voiceMessage: '语音 {n} 秒', picture: '图片', page: '网页',
  },
  en: {
    people: 'Phones', notFollowing: 'New friend', hint: 'Not following “{name}” yet. Scan the code on an appliance to meet it.', follow: 'Follow',
    unfollow: 'Unfollow', send: 'Send', voice: 'Speak', more: 'More', photo: 'Album', scan: 'Scan', input: 'Message',
    chooseScan: 'Scan', choosePhoto: 'Choose a photo', chooseVoice: 'Say something', file: 'From this computer', cancel: 'Cancel',
    press: 'Read the QR code in this picture', close: 'Close', reload: 'Reload', details: 'Details', scanning: 'Reading…', nothing: 'Nothing to choose from; pick a file from this computer.',
    expired: 'This code has expired', says: 'The code says: ', unread: 'unread', lost: 'Connection lost, trying again…', voiceMessage: 'Voice, {n} s', picture: 'Picture', page: 'Web page',
  },
};

export const icons = {
  voice: 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 1.6a8.4 8.4 0 1 1 0 16.8 8.4 8.4 0 0 1 0-16.8zM8 10.2a3 3 0 0 1 0 3.6l1.2.9a4.5 4.5 0 0 0 0-5.4zm2.5-1.8a6 6 0 0 1 0 7.2l1.2.9a7.5 7.5 0 0 0 0-9zm2.4-1.8a9 9 0 0 1 0 10.8l1.2.9a10.500 10.500 0 0 0 0-12.600z',
  plus: 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 1.600a8.400 8.400 0 1 1 0 16.800 8.400 8.400 0 0 1 0-16.800zM11.200 7v4.200H7v1.600h4.200V17h1.600v-4.200H17v-1.600h-4.200V7z',
  photo: 'M4 4h16a1.500 1.500 0 0 1 1.500 1.500v13A1.500 1.500 0 0 1 20 20H4a1.500 1.500 0 0 1-1.500-1.500v-13A1.500 1.500 0 0 1 4 4zm0 12.500V18.500h16v-3l-4.500-4.500-5 5-2.500-2.500zM8 7a2 2 0 1 0 0 4 2 2 0 0 0 0-4z',
  scan: 'M3 3h6v2H5v4H3zm12 0h6v6h-2V5h-4zM3 15h2v4h4v2H3zm16 0h2v6h-6v-2h4zM3 11h18v2H3z',
  leave: 'M10 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM2 20c0-4 4-6 8-6s8 2 8 6zM15 8h7v2h-7z',
  close: 'M6 4.600 12 10.600 18 4.600 19.400 6 13.400 12 19.400 18 18 19.400 12 13.400 6 19.400 4.600 18 10.600 12 4.600 6z',
  reload: 'M12 5a7 7 0 1 0 7 7h-2a5 5 0 1 1-5-5v3l5-4-5-4z',
  sound: 'M5 9v6h3l5 4V5L8 9zm10 0a4 4 0 0 1 0 6l1.200 1.200a6 6 0 0 0 0-8.400z',
};
